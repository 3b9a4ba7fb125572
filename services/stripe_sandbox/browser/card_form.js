// The form that Stripe.js puts into a page: a part of stripe.js, which is served with it.
const CARDS = [
  ["tok_visa", "4242424242424242", "Visa …4242: succeeds"],
  ["tok_mastercard", "5555555555554444", "Mastercard …4444: succeeds"],
  ["tok_authenticationRequired", "4000002760003184", "3D Secure …3184: always asks"],
  ["tok_authenticationRequiredOnSetup", "4000002500003155", "3D Secure …3155: asks once"],
  [
    "tok_chargeCustomerFail",
    "4000000000000341",
    "Visa …0341: can be saved, declines when charged",
  ],
  ["tok_chargeDeclined", "4000000000000002", "Visa …0002: declined"],
  ["tok_chargeDeclinedInsufficientFunds", "4000000000009995", "Visa …9995: no funds"],
  ["tok_chargeDeclinedExpiredCard", "4000000000000069", "Visa …0069: expired"],
];
const grouped = (number) => number.replace(/(.{4})(?=.)/g, "$1 ");
// What somebody may type instead, and how a chosen card fills it.
const FIELDS = [
  ["number", "Card number", "1234 1234 1234 1234", grouped],
  ["expiry", "Expiration date", "MM / YY", () => "12 / 40"],
  ["cvc", "Security code", "CVC", () => "123"],
];
function styled(element, styles) {
  Object.assign(element.style, styles);
  return element;
}

const digitsOf = (text) => text.replace(/\D/g, "");

function passesLuhn(digits) {
  const sum = [...digits].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

const invalid = (code, field, message) => ({ type: "validation_error", code, field, message });

// What is wrong with what was typed, as Stripe.js says it; undefined when nothing is.
function problemOf({ number, expiry, cvc }, now = new Date()) {
  const [digits, date, code] = [number, expiry, cvc].map(digitsOf);
  if (digits.length < 14) {
    return invalid("incomplete_number", "number", "Your card number is incomplete.");
  }
  if (!passesLuhn(digits)) {
    return invalid("invalid_number", "number", "Your card number is invalid.");
  }
  const [month, year] = [Number(date.slice(0, 2)), 2000 + Number(date.slice(2))];
  if (date.length < 4 || month < 1 || month > 12) {
    const message = "Your card's expiration date is incomplete.";
    return invalid("incomplete_expiry", "expiry", message);
  }
  if (Date.UTC(year, month) <= now.getTime()) {
    const message = "Your card's expiration date is in the past.";
    return invalid("invalid_expiry_year_past", "expiry", message);
  }
  if (code.length < 3) {
    return invalid("incomplete_cvc", "cvc", "Your card's security code is incomplete.");
  }
  return undefined;
}

// A payment form: a number, a date and a code, which a choice of test cards fills in.
class Element {
  constructor(type, options) {
    this._type = type;
    this._options = options || {};
    this._heard = {};
    this._inputs = {};
    this._typed = {};
    this._fill(CARDS[0][0]);
  }

  on(event, heard) {
    (this._heard[event] ||= []).push(heard);
    return this;
  }

  once(event, heard) {
    const only = (value) => {
      this.off(event, only);
      heard(value);
    };
    return this.on(event, only);
  }

  off(event, heard) {
    const all = this._heard[event] || [];
    this._heard[event] = heard ? all.filter((each) => each !== heard) : [];
    return this;
  }

  _tell(event, value) {
    for (const heard of [...(this._heard[event] || [])]) heard(value);
  }

  mount(target) {
    const place = typeof target === "string" ? document.querySelector(target) : target;
    if (!place) throw new Error("There is no element to mount on.");
    this._place = place;
    if (this._type === "payment" || this._type === "card") place.appendChild(this._form());
    queueMicrotask(() => {
      this._tell("ready", this);
      this._changed();
    });
  }

  // Of a test card, the token; of another number that could be one, none.
  get _card() {
    return CARDS.find(([, number]) => number === digitsOf(this._typed.number))?.[0];
  }

  _fill(token) {
    const [, number = ""] = CARDS.find(([each]) => each === token) || [];
    for (const [name, , , valueFor] of FIELDS) this._typed[name] = number && valueFor(number);
    for (const [name, input] of Object.entries(this._inputs)) input.value = this._typed[name];
  }

  _form() {
    const columns = { display: "grid", gap: "0.75rem", gridTemplateColumns: "1fr 1fr" };
    const form = styled(document.createElement("div"), { ...columns, fontSize: "0.875rem" });
    const [number, ...short] = FIELDS.map((field) => this._field(field));
    for (const wide of [this._choice(), number]) {
      form.appendChild(styled(wide, { gridColumn: "1 / -1" }));
    }
    for (const half of short) form.appendChild(half);
    this._problem = styled(document.createElement("p"), { margin: "0", gridColumn: "1 / -1" });
    form.appendChild(this._problem);
    return form;
  }

  _labelled(text, control) {
    const label = styled(document.createElement("label"), { display: "block", font: "inherit" });
    label.textContent = `${text} `;
    const look = { display: "block", width: "100%", minHeight: "2.75rem", marginTop: "0.25rem" };
    const edge = { border: "1px solid #8888", borderRadius: "0.5rem", padding: "0.5rem 0.75rem" };
    // The colours of the page around it, dark or light.
    const colours = { font: "inherit", color: "inherit", background: "transparent" };
    styled(control, { ...look, ...edge, ...colours });
    for (const event of ["focus", "blur"]) {
      control.addEventListener(event, () => this._tell(event, { elementType: this._type }));
    }
    label.appendChild(control);
    return label;
  }

  _choice() {
    this._select = document.createElement("select");
    for (const [token, , text] of [...CARDS, ["", "", "Another one, by its number"]]) {
      const option = styled(document.createElement("option"), { background: "Canvas" });
      option.value = token;
      option.textContent = text;
      this._select.appendChild(option);
    }
    this._select.addEventListener("change", () => {
      this._fill(this._select.value);
      this._changed();
    });
    return this._labelled("Test card", this._select);
  }

  _field([name, text, hint]) {
    const input = document.createElement("input");
    this._inputs[name] = input;
    input.value = this._typed[name];
    input.placeholder = hint;
    input.inputMode = "numeric";
    input.autocomplete = "off";
    input.addEventListener("input", () => {
      this._typed[name] = input.value;
      this._select.value = this._card || "";
      this._changed();
    });
    return this._labelled(text, input);
  }

  _changed() {
    const problem = problemOf(this._typed);
    this._show(undefined);
    this._tell("change", {
      elementType: this._type,
      empty: Object.values(this._typed).every((each) => each === ""),
      complete: !problem,
      collapsed: false,
      value: { type: "card", payment_method: undefined },
      brand: "visa",
      error: undefined,
    });
  }

  // What keeps the form from being sent, shown where it is; undefined when nothing does.
  _validate() {
    const problem = problemOf(this._typed);
    this._show(problem);
    return problem;
  }

  _show(problem) {
    if (this._problem) this._problem.textContent = problem ? problem.message : "";
    for (const [name, input] of Object.entries(this._inputs)) {
      input.setAttribute("aria-invalid", String(problem?.field === name));
    }
  }

  update(options) {
    Object.assign(this._options, options);
  }

  unmount() {
    if (this._place) this._place.replaceChildren();
    this._place = null;
  }

  destroy() {
    this.unmount();
    this._heard = {};
  }

  focus() {
    this._select?.focus();
  }

  blur() {
    this._select?.blur();
  }

  clear() {
    this._fill("");
    this._changed();
  }

  collapse() {}
}
