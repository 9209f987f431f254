// Keeps every peer connection and socket of the page, and what goes over the
// latter, at hand, so that tests can look at them. Nothing is changed for those
// who use them: the prototypes are the browser's own.
"use strict";

window.spied = { connections: [], sockets: [], frames: [] };

function spy(name, seen) {
  window[name] = new Proxy(window[name], {
    construct(target, args, newTarget) {
      const made = Reflect.construct(target, args, newTarget);
      seen(made);
      return made;
    },
  });
}

spy("RTCPeerConnection", (pc) => spied.connections.push(pc));
spy("WebSocket", (socket) => {
  spied.sockets.push(socket);
  socket.addEventListener("message", ({ data }) => spied.frames.push(`< ${data}`));
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    spied.frames.push(`> ${data}`);
    send(data);
  };
});
