// The two requests that pages make before they have a socket. A refusal is thrown as one sentence.
import type { ChatStarted, Refusal, SignedIn, SignIn, StartChat } from "./types.gen";

export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

async function post<Answer>(path: string, body: unknown, unreachable: string): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Error(unreachable);
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as Answer;
  if (answer !== null && typeof answer === "object" && "code" in answer && "message" in answer) {
    throw new Refused(answer as Refusal);
  }
  throw new Error(unreachable);
}

export const signIn = (tenant: string, body: SignIn, unreachable: string): Promise<SignedIn> =>
  post(`/api/v1/${encodeURIComponent(tenant)}/sign-in`, body, unreachable);

export const startChat = (tenant: string, body: StartChat, unreachable: string): Promise<ChatStarted> =>
  post(`/api/v1/${encodeURIComponent(tenant)}/chats`, body, unreachable);
