// The part of Microsoft's Channel Integration Framework (1.0 and 2.0) that the adapter uses. Calls answer with promises
// that resolve to JSON strings, plain values or nothing, reject with several shapes, and sometimes never settle.

interface CifTemplate {
  templateName: string;
  templateParameters: Record<string, unknown>;
  isFocused?: boolean;
}

interface CIFramework {
  getMode(): Promise<unknown>;
  setMode(mode: number): Promise<unknown>;
  setWidth(px: number): Promise<unknown>;
  openForm(form: string, values?: string): Promise<unknown>;
  renderSearchPage(entity: string, text: string): Promise<unknown>;
  setClickToAct(on: boolean): Promise<unknown>;
  addHandler(event: string, handler: (payload: string) => Promise<void>): unknown;
  /** From here on 2.0 only: their absence tells 1.0. */
  canCreateSession?(): Promise<unknown>;
  createSession?(session: CifTemplate): Promise<unknown>;
  createTab?(tab: CifTemplate): Promise<unknown>;
}

interface Window {
  Microsoft?: { CIFramework?: CIFramework };
}
