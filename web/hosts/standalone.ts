// No CRM page around the panel: a browser tab of its own.
import { panel as t } from "../shared/words";
import type { Host } from "./host";

export function standalone(): Host {
  return {
    kind: "standalone",
    canPop: false,
    pop: () => Promise.reject(new Error(t.host.noHost)),
    onClickToDial: () => () => undefined,
    saveContext: () => undefined,
    notify: () => undefined,
    resize: () => undefined,
  };
}
