// Stands in for Stripe.js where Stripe is the sandbox: the same calls, test cards, no internet.
// It is served by the sandbox and speaks to where it came from.
// What is here is served in one function, behind card_form.js.
const home = new URL(document.currentScript.src).origin;
const POLL_MS = 300;
// What the calls need to know of the two kinds of intents.
const KINDS = {
  setup: { path: "setup_intents", name: "setupIntent", object: "setup_intent" },
  payment: { path: "payment_intents", name: "paymentIntent", object: "payment_intent" },
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const idOf = (secret) => String(secret).split("_secret_")[0];

function flattened(params, prefix = "", pairs = new URLSearchParams()) {
  for (const [name, value] of Object.entries(params)) {
    const key = prefix ? `${prefix}[${name}]` : name;
    if (value === undefined || value === null) continue;
    if (typeof value === "object") flattened(value, key, pairs);
    else pairs.append(key, String(value));
  }
  return pairs;
}

class Elements {
  constructor(options) {
    this._options = options || {};
    this._made = {};
  }

  create(type, options) {
    this._made[type] = new Element(type, options);
    return this._made[type];
  }

  getElement(type) {
    return this._made[typeof type === "string" ? type : type?.__elementType] || null;
  }

  update(options) {
    Object.assign(this._options, options);
  }

  async fetchUpdates() {
    return {};
  }

  async submit() {
    const form = this._form();
    if (!form) return { error: noForm() };
    const error = form._validate();
    return error ? { error } : { selectedPaymentMethod: "card" };
  }

  _form() {
    return this._made.payment || this._made.card;
  }
}

const noForm = () => ({ type: "validation_error", message: "There is no payment form." });
// What Stripe says in test mode of a card that is real, or could be.
const noTestCard = () => ({
  type: "card_error",
  code: "card_declined",
  decline_code: "test_mode_live_card",
  message:
    "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test cards, visit: https://stripe.com/docs/testing.",
});

class Client {
  constructor(key) {
    this._key = key;
  }

  registerAppInfo() {}

  _registerWrapper() {}

  elements(options) {
    return new Elements(options);
  }

  // One call of the API; never throws for what Stripe refuses.
  async _call(method, path, params) {
    const form = flattened({ ...params, key: this._key });
    const url = `${home}/v1/${path}${method === "GET" ? `?${form}` : ""}`;
    try {
      const answer = await fetch(url, { method, body: method === "GET" ? undefined : form });
      return await answer.json();
    } catch (cause) {
      return { error: { type: "api_connection_error", message: `No answer: ${cause.message}` } };
    }
  }

  async _retrieve(kind, secret) {
    const path = `${kind.path}/${idOf(secret)}`;
    const body = await this._call("GET", path, { client_secret: secret });
    return body.error ? { error: body.error } : { [kind.name]: body };
  }

  retrieveSetupIntent(secret) {
    return this._retrieve(KINDS.setup, secret);
  }

  retrievePaymentIntent(secret) {
    return this._retrieve(KINDS.payment, secret);
  }

  async createPaymentMethod(given) {
    const element = given.elements ? given.elements._form() : given.card || given.element;
    if (!element) return { error: noForm() };
    const problem = element._validate() || (element._card ? undefined : noTestCard());
    if (problem) return { error: problem };
    const details = given.params?.billing_details || given.billing_details;
    const params = { type: "card", card: { token: element._card }, billing_details: details };
    const body = await this._call("POST", "payment_methods", params);
    return body.error ? { error: body.error } : { paymentMethod: body };
  }

  async createToken(element) {
    return { token: { id: element?._card, object: "token", type: "card" } };
  }

  async _confirm(kind, { elements, clientSecret, confirmParams = {}, redirect = "always" }) {
    const secret = clientSecret || elements?._options.clientSecret;
    let method = confirmParams.payment_method;
    if (!method) {
      const details = confirmParams.payment_method_data?.billing_details;
      const made = await this.createPaymentMethod({ elements, billing_details: details });
      if (made.error) return { error: made.error };
      method = made.paymentMethod.id;
    }
    const result = await this._confirmed(kind, secret, method);
    if (!result.error && redirect === "always" && confirmParams.return_url) {
      this._leave(kind, result[kind.name], confirmParams.return_url);
      return new Promise(() => {});
    }
    return result;
  }

  async _confirmed(kind, secret, method) {
    const params = { client_secret: secret, payment_method: method, use_stripe_sdk: true };
    const body = await this._call("POST", `${kind.path}/${idOf(secret)}/confirm`, params);
    if (body.error) return { error: body.error };
    return this._finished(kind, body);
  }

  _leave(kind, intent, returnUrl) {
    const url = new URL(returnUrl, location.href);
    url.searchParams.set(kind.object, intent.id);
    url.searchParams.set(`${kind.object}_client_secret`, intent.client_secret);
    url.searchParams.set("redirect_status", "succeeded");
    location.assign(url.href);
  }

  confirmSetup(options) {
    return this._confirm(KINDS.setup, options);
  }

  confirmPayment(options) {
    return this._confirm(KINDS.payment, options);
  }

  async _confirmCard(kind, secret, data = {}) {
    let method = data.payment_method;
    if (method && typeof method === "object") {
      const made = await this.createPaymentMethod(method);
      if (made.error) return { error: made.error };
      method = made.paymentMethod.id;
    }
    return this._confirmed(kind, secret, method);
  }

  confirmCardSetup(secret, data) {
    return this._confirmCard(KINDS.setup, secret, data);
  }

  confirmCardPayment(secret, data) {
    return this._confirmCard(KINDS.payment, secret, data);
  }

  async handleNextAction({ clientSecret }) {
    const kind = String(clientSecret).startsWith("seti_") ? KINDS.setup : KINDS.payment;
    const found = await this._retrieve(kind, clientSecret);
    return found.error ? found : this._finished(kind, found[kind.name]);
  }

  handleCardAction(clientSecret) {
    return this.handleNextAction({ clientSecret });
  }

  // Through 3D Secure, if the bank asks: its page is shown until the intent has gone on.
  async _finished(kind, intent) {
    if (intent.status === "requires_action") {
      const action = intent.next_action;
      const page = action.use_stripe_sdk?.stripe_js || action.redirect_to_url?.url;
      const dialog = shown(page);
      while (intent.status === "requires_action" && !dialog.canceled) {
        await pause(POLL_MS);
        const found = await this._retrieve(kind, intent.client_secret);
        if (found[kind.name]) intent = found[kind.name];
      }
      dialog.close();
    }
    if (intent.status === "succeeded" || intent.status === "processing") {
      return { [kind.name]: intent };
    }
    const failed = intent.last_setup_error || intent.last_payment_error;
    const message = "The card was not authenticated.";
    return { error: { ...(failed || { type: "card_error", message }), [kind.object]: intent } };
  }
}

// The bank's page inside of this one.
function shown(page) {
  const dialog = { canceled: false, close: () => cover.remove() };
  const cover = styled(document.createElement("div"), {
    position: "fixed",
    inset: "0",
    zIndex: "2147483647",
    background: "rgba(20, 23, 42, 0.6)",
    display: "grid",
    placeContent: "center",
    gap: "0.5rem",
  });
  cover.setAttribute("role", "dialog");
  cover.setAttribute("aria-modal", "true");
  cover.setAttribute("aria-label", "3D Secure");
  const frame = styled(document.createElement("iframe"), {
    width: "min(28rem, 94vw)",
    height: "min(26rem, 80vh)",
    border: "0",
    borderRadius: "0.75rem",
    background: "#fff",
  });
  frame.title = "3D Secure";
  frame.src = page;
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.textContent = "Cancel";
  cancel.addEventListener("click", () => {
    dialog.canceled = true;
  });
  cover.append(frame, cancel);
  document.body.appendChild(cover);
  return dialog;
}

function Stripe(key) {
  if (!/^pk_test_/.test(String(key))) {
    throw new Error("The Stripe sandbox takes only publishable test keys.");
  }
  return new Client(key);
}
Stripe.version = "endive";
window.Stripe = Stripe;
