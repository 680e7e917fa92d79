// What every component can reach.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { QueueView } from "../shared/types.gen";
import type { Controller } from "./controller";
import type { PanelState } from "./state";

export interface Panel {
  control: Controller;
  state: PanelState;
}

export const PanelContext = createContext<Panel | null>(null);

export function usePanel(): Panel {
  const panel = useContext(PanelContext);
  if (panel === null) throw new Error("a panel component stands outside the panel");
  return panel;
}

/** The server's clock, as far as this page can tell. */
export const serverNow = (state: PanelState): number => Date.now() + state.skew;

export const queueOf = (state: PanelState, id: string | null): QueueView | undefined =>
  state.view?.queues.find((queue) => queue.queue === id);

export const connectionName = (state: PanelState, id: string): string =>
  state.view?.connections.find((connection) => connection.id === id)?.name ?? id;
