/*
 * Access to the document that the page's own elements cannot disturb. An <img name="currentScript"> replaces
 * document.currentScript, and the same is true of every member of a document and of a form. Therefore members are read where
 * their prototype defines them.
 */
export const attempt = (action, otherwise) => {
  try {
    return action();
  } catch (error) {
    return otherwise;
  }
};

/* The document's member NAME, as its prototype defines it. */
export const ofDocument = name => Object.getOwnPropertyDescriptor(Document.prototype, name).get.call(document);

/* Adds or removes a listener; VERB is 'add' or 'remove'. */
export const listen = (verb, on, name, action) => EventTarget.prototype[`${verb}EventListener`].call(on, name, action);
