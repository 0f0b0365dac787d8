// In a search of the theme "-word" means: without that word. So --operation finds nothing, and it is what a reader copies
// from a command line. The hyphens of an option are left out of what the page sends to the worker of the search.
"use strict";
(() => {
  const QUERY = 2; // the type of the theme's message
  const send = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    const words = message && message.type === QUERY && typeof message.data === "string";
    const sent = words ? {...message, data: message.data.replace(/(^|\s)--(?=[a-z])/gi, "$1")} : message;
    return send.call(this, sent, ...rest);
  };
})();
