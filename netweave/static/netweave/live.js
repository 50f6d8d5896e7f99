// Refreshes the figures of a page while it is looked at; the page says the same when it is loaded.
"use strict";
(() => {
  const places = [...document.querySelectorAll("[data-live]")];
  if (!places.length) return;
  const ids = new Set(places.map(place => place.dataset.live.split(".")).filter(p => p.length > 1).map(p => p[0]));
  let socket = null, wait = 1000, timer = 0;
  const listen = () => {
    clearTimeout(timer);
    if (socket || document.hidden) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}/admin/live/?ids=${[...ids].join(",")}`);
    socket.onmessage = event => {
      wait = 1000;
      const told = JSON.parse(event.data);
      for (const place of places) {
        const [text, kind] = told[place.dataset.live] || [];
        if (text !== undefined) place.textContent = text;
        if (kind) place.className = kind;
      }
    };
    socket.onclose = () => {
      socket = null;
      wait = Math.min(2 * wait, 60000);
      timer = setTimeout(listen, wait);
    };
  };
  document.addEventListener("visibilitychange", () => document.hidden ? socket?.close() : listen());
  listen();
})();
