// What the browser keeps for a page. Where storage is denied or full, the page works without it: what it would have
// kept lasts until the page is left, and what belongs to the tab lasts through a reload.

/**
 * @param {"localStorage" | "sessionStorage"} storage
 * @param {{get: (name: string) => string | null, set: (name: string, value: string | null) => void}} instead Where it is denied.
 */
function keeper(storage, instead) {
  return {
    /** What was kept under a name; null where nothing was. @param {string} name @returns {string | null} */
    get(name) {
      try {
        return window[storage].getItem(name) ?? instead.get(name);
      } catch {
        return instead.get(name);
      }
    },

    /** Keep a text under a name, or nothing any more. @param {string} name @param {string | null} value */
    set(name, value) {
      instead.set(name, null);
      try {
        if (value === null) window[storage].removeItem(name);
        else window[storage].setItem(name, value);
      } catch {
        instead.set(name, value);
      }
    },
  };
}

const memory = new Map();

/** For this browser, until somebody clears it. */
export const ofBrowser = keeper("localStorage", {
  get: (name) => memory.get(name) ?? null,
  set: (name, value) => (value === null ? memory.delete(name) : memory.set(name, value)),
});

/** For this tab, until it is closed. */
export const ofTab = keeper("sessionStorage", {
  get: (name) => history.state?.[name] ?? null,
  set: (name, value) => {
    if (value === null && !history.state?.[name]) return;
    try {
      history.replaceState({ ...history.state, [name]: value }, "");
    } catch {
      // Too large for that: it is lost, and the page goes on.
    }
  },
});

/** What was kept as JSON; null where nothing was, or something that cannot be read. */
export function readKept(kept, name) {
  try {
    return JSON.parse(kept.get(name) ?? "null");
  } catch {
    return null;
  }
}
