// One WebSocket of a session: sections 2 and 3 of signaling/PROTOCOL.md.

const openTime = 15000; // ms until the socket has to be open
const welcomeTime = 5000; // and until each hello has to be answered
const hellos = 3;
const period = 5000; // wanted between two heartbeats
const margin = 200; // that ours are early
const missed = 3; // periods of silence that mean the connection is lost

// Socket says hello with an RSP message and hands over what comes back.
//
// The handler has message(body), and closed(why), which is called exactly once
// and last unless close was called: why.kind is "lost", "busy" or "refused",
// why.text tells it to people, why.retryAfter (ms) and why.cookie come with
// "busy".
export class Socket {
  #handler;
  #socket;
  #body;
  #cookie;
  #hellos = 0;
  #welcome = false;
  #period = period;
  #timers = {};
  #closed = false;

  constructor(url, body, cookie, handler) {
    this.#handler = handler;
    this.#body = body;
    this.#cookie = cookie;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#hello();
    this.#socket.onmessage = (event) => this.#receive(event.data);
    this.#socket.onclose = () => this.#end({ kind: "lost", text: "The server cannot be reached." });
    this.#after("in", openTime, () => this.#end({ kind: "lost", text: "The server does not answer." }, 3000));
  }

  // send sends an RSP message. Before the welcome it is dropped: whoever comes
  // then has the whole state sent anyway.
  send(body) {
    if (this.#welcome && !this.#closed) this.#frame({ type: "msg", body });
  }

  // leave says farewell with an RSP message and closes for good.
  leave(body) {
    if (this.#closed) return;
    this.send(body);
    if (this.#socket.readyState === WebSocket.OPEN) this.#frame({ type: "bye" });
    this.close(1000);
  }

  // close drops the connection without another word.
  close(code = 3001) {
    this.#closed = true;
    for (const name in this.#timers) clearTimeout(this.#timers[name]);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(code);
  }

  #end(why, code) {
    if (this.#closed) return;
    this.close(code);
    this.#handler.closed(why);
  }

  #after(name, ms, f) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(f, ms);
  }

  #frame(frame) {
    this.#socket.send(JSON.stringify(frame));
    if (this.#welcome) {
      this.#after("out", Math.max(this.#period - margin, margin), () => this.#frame({ type: "heartbeat" }));
    }
  }

  #hello() {
    if (this.#hellos === hellos) {
      this.#end({ kind: "lost", text: "The server does not answer." }, 3000);
      return;
    }
    this.#hellos++;
    const frame = { type: "hello", id: randomId(), version: 2, timeout: period, body: this.#body };
    if (this.#cookie) frame.cookie = this.#cookie;
    this.#frame(frame);
    this.#after("in", welcomeTime, () => this.#hello());
  }

  #alive() {
    this.#after("in", this.#period * missed, () => {
      this.#end({ kind: "lost", text: "The server has fallen silent." }, 3001);
    });
  }

  #receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      frame = null;
    }
    if (typeof frame !== "object" || frame === null || typeof frame.type !== "string") {
      this.#end({ kind: "refused", text: "The server said something that is no message." }, 3002);
      return;
    }
    switch (frame.type) {
      case "welcome":
        if (this.#welcome) return;
        this.#welcome = true;
        if (frame.negotiatedTimeout >= 1000) this.#period = frame.negotiatedTimeout;
        this.#alive();
        this.#after("out", this.#period - margin, () => this.#frame({ type: "heartbeat" }));
        return;
      case "busy":
        if (!this.#welcome) this.#busy(frame);
        return;
      case "bad":
        if (!this.#welcome) this.#end({ kind: "refused", text: `The server refuses: ${frame.reason}` }, 3002);
        return;
      case "heartbeat":
        if (this.#welcome) this.#alive();
        return;
      case "msg":
        if (!this.#welcome) return;
        this.#alive();
        if (typeof frame.body === "object" && frame.body !== null) this.#handler.message(frame.body);
    }
  }

  #busy(frame) {
    const retryAfter = Number(frame.retryAfter) || 0;
    if (typeof frame.cookie === "string") this.#cookie = frame.cookie;
    if (retryAfter < 0) {
      this.#end({ kind: "refused", text: "The server is too busy." }, 3006);
    } else if (frame.keepAlive) {
      this.#hellos = 0;
      this.#after("in", retryAfter, () => this.#hello());
    } else {
      this.#end({ kind: "busy", text: "The server is busy.", retryAfter, cookie: this.#cookie }, 3005);
    }
  }
}

// randomId also works on pages that were not served over TLS, where
// crypto.randomUUID is missing.
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
