// The part of Salesforce's Open CTI for Lightning (API 66.0) that the adapter uses.

interface OpenCtiAnswer {
  success: boolean;
  returnValue: unknown;
  errors: Array<{ code?: string; description?: string }> | null;
}

interface OpenCtiClick {
  number: string;
  recordId?: string;
  objectType?: string;
}

interface OpenCti {
  SCREENPOP_TYPE: { SOBJECT: string; SEARCH: string; NEW_RECORD_MODAL: string };
  screenPop(args: { type: string; params: unknown; callback: (answer: OpenCtiAnswer) => void }): void;
  enableClickToDial(args: { callback: (answer: OpenCtiAnswer) => void }): void;
  onClickToDial(args: { listener: (payload: OpenCtiClick) => void }): void;
  setSoftphonePanelVisibility(args: { visible: boolean; callback?: (answer: OpenCtiAnswer) => void }): void;
  setSoftphonePanelHeight(args: { heightPX: number; callback?: (answer: OpenCtiAnswer) => void }): void;
  setSoftphonePanelWidth(args: { widthPX: number; callback?: (answer: OpenCtiAnswer) => void }): void;
  setSoftphonePanelLabel(args: { label: string; callback?: (answer: OpenCtiAnswer) => void }): void;
  setSoftphoneItemLabel(args: { label: string; callback?: (answer: OpenCtiAnswer) => void }): void;
}

interface Window {
  sforce?: { opencti?: OpenCti };
}
