// A stream of server-sent events. The browser takes it up again by itself; a page that is not looked at lets go of it.

export function listen(path, handlers, onState = () => {}) {
  let source = null;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => onState("live");
    source.onerror = () => onState(source.readyState === EventSource.CLOSED ? "closed" : "waiting");
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        onState(name === "away" ? "away" : "live");
        handle(JSON.parse(event.data));
      });
    }
  };
  const close = () => { if (source) source.close(); source = null; };
  const look = () => { if (document.hidden) close(); else if (!source) open(); };
  document.addEventListener("visibilitychange", look);
  open();
  return () => { document.removeEventListener("visibilitychange", look); close(); };
}
