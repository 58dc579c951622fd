// What the tablet keeps beyond a reload: who is expected, when the server was last heard, and the sealed queue.

const NAME = "invigil-kiosk";

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** The store; null where the browser keeps nothing. */
export async function openStore() {
  try {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore("facts");
      opening.result.createObjectStore("queue", { autoIncrement: true });
    };
    const store = new Store(await done(opening));
    await store.put("tried", true);
    return store;
  } catch {
    return null;
  }
}

class Store {
  /** @param {IDBDatabase} base */
  constructor(base) {
    this.base = base;
  }

  read(name) {
    return this.base.transaction(name, "readonly").objectStore(name);
  }

  /** Do something in a transaction; it is on the disk when this resolves. */
  write(name, act) {
    return new Promise((resolve, reject) => {
      const work = this.base.transaction(name, "readwrite");
      work.oncomplete = () => resolve(undefined);
      work.onerror = work.onabort = () => reject(work.error);
      act(work.objectStore(name));
    });
  }

  fact(name) {
    return done(this.read("facts").get(name));
  }

  put(name, value) {
    return this.write("facts", (facts) => facts.put(value, name));
  }

  forget(...names) {
    return this.write("facts", (facts) => names.forEach((name) => facts.delete(name)));
  }

  add(item) {
    return this.write("queue", (queue) => queue.add(item));
  }

  remove(key) {
    return this.write("queue", (queue) => queue.delete(key));
  }

  /** The keys and items of the queue in the order in which they were added. */
  async queue() {
    const read = this.read("queue");
    const [keys, items] = await Promise.all([done(read.getAllKeys()), done(read.getAll())]);
    return keys.map((key, at) => ({ key, item: items[at] }));
  }
}
