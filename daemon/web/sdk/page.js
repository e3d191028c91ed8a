/*
 * What the page says of itself, asked so that its elements cannot answer instead: <img name="currentScript"> takes the
 * place of document.currentScript, and so with every member of a document and of a form.
 */
export const attempt = (action, otherwise) => {
  try {
    return action();
  } catch (error) {
    return otherwise;
  }
};

/* The document's own member NAME, from where it is defined. */
export const ofDocument = name => Object.getOwnPropertyDescriptor(Document.prototype, name).get.call(document);

/* VERB is add or remove. */
export const listen = (verb, on, name, action) => EventTarget.prototype[`${verb}EventListener`].call(on, name, action);
