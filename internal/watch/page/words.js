// What the page says: codes, reasons and numbers in words.

const codes = {
  20101: "The access token is not valid.",
  20102: "The access token is not valid.",
  20103: "The access token was made with a key that this server does not know.",
  20104: "The access token has expired. Ask for a new link.",
  20105: "The access token is not valid yet. Check the clock of this device.",
  20106: "The access token is not for this room.",
  20107: "The access token is signed with a wrong key.",
  53001: "The connection to the server was lost.",
  53006: "The server is busy.",
  53103: "The room cannot be opened.",
  53105: "The room is full.",
  53106: "There is no such room.",
  53118: "The room has ended.",
  53205: "The same link was opened elsewhere. A participant can be in a room only once.",
  53405: "No media can pass between the server and this browser. A firewall may be in between.",
};

const reasons = {
  removed: "You were removed from the room.",
  duplicate: codes[53205],
  completed: codes[53118],
  duration: "Your time in the room is up.",
  shutdown: "The server is being restarted.",
  timeout: codes[53001],
  slow: "This browser or its network was too slow for the room.",
};

// explain puts into words why a session has ended.
export function explain({ code, message, reason, status }) {
  if (code in codes) return codes[code];
  if (reason in reasons) return reasons[reason];
  if (status === "completed") return codes[53118];
  if (code) return `${message || "The server has ended the session"} (${code})`;
  return message || "The server has ended the session.";
}

export function bitrate(bps) {
  if (bps < 1000) return "0 kb/s";
  return bps < 1e6 ? `${Math.round(bps / 1000)} kb/s` : `${(bps / 1e6).toFixed(1)} Mb/s`;
}

const shown = 2000; // characters or bytes of a message

// textOf is what is shown of a message.
export function textOf(data) {
  if (typeof data === "string") return data.length > shown ? `${data.slice(0, shown)}…` : data;
  const bytes = new Uint8Array(data, 0, Math.min(data.byteLength, 32));
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
  return `${data.byteLength} bytes: ${hex}${data.byteLength > 32 ? " …" : ""}`;
}
