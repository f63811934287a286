// What the form in a frame and the firm's page say to each other. Nothing of a
// number, not even its first digits, and nothing of a code is ever in it.

export const protocol = "ccms-card-form";
export const version = 1;

// Message is one message of the protocol, in either direction.
export interface Message {
  ccms: typeof protocol;
  version: typeof version;
  type: string;
  [more: string]: unknown;
}

export function message(type: string, more: object = {}): Message {
  return { ...more, ccms: protocol, version, type };
}

// isMessage tells ours from what else is sent around on a page.
export function isMessage(data: unknown): data is Message {
  const m = data as Partial<Message> | null;
  return typeof m === "object" && m !== null && m.ccms === protocol && m.version === version && typeof m.type === "string";
}
