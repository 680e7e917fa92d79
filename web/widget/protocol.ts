// What the launcher in a company's page and the chat in its frame say to each other. Small, and only to a named origin.

/** From the launcher to the frame. */
export type ToFrame =
  /** Shown or hidden, and on which page. */
  { tieline: "shown"; open: boolean; page: string };

/** From the frame to the launcher. */
export type ToLauncher =
  | { tieline: "ready" }
  | { tieline: "minimise" }
  /** A chat runs (so the next page loads the frame at once), and how much is unread. */
  | { tieline: "state"; chat: boolean; unread: number };

/** What the page's script tag says, handed to the frame in the fragment of its address, which no server sees. */
export interface Looks {
  queue: string;
  title: string | null;
  greeting: string | null;
  fields: string | null;
  colour: string | null;
  colourText: string | null;
  origin: string;
}
