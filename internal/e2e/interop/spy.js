// Keeps every peer connection of the page, the channels of either side, its
// sockets and what goes over them at hand, so that tests can look at them. Nothing is changed for those
// who use them: the prototypes are the browser's own.
"use strict";

window.spied = { connections: [], channels: [], incoming: [], sockets: [], frames: [] };

function spy(name, seen) {
  window[name] = new Proxy(window[name], {
    construct(target, args, newTarget) {
      const made = Reflect.construct(target, args, newTarget);
      seen(made);
      return made;
    },
  });
}

spy("RTCPeerConnection", (pc) => {
  spied.connections.push(pc);
  pc.addEventListener("datachannel", ({ channel }) => spied.incoming.push(channel));
  const create = pc.createDataChannel.bind(pc);
  pc.createDataChannel = (...args) => {
    const channel = create(...args);
    spied.channels.push(channel);
    channel.addEventListener("close", () => spied.channels.splice(spied.channels.indexOf(channel), 1));
    return channel;
  };
});
spy("WebSocket", (socket) => {
  spied.sockets.push(socket);
  socket.addEventListener("message", ({ data }) => spied.frames.push(`< ${data}`));
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    spied.frames.push(`> ${data}`);
    send(data);
  };
});
