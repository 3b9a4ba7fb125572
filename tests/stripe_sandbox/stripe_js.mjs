// Runs the stand-in for Stripe.js in a page that is just real enough, and prints what it did.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const [script, home, key, setupSecret, paymentSecret, hardSecret] = process.argv.slice(2);

class Node {
  constructor(name) {
    this.name = name;
    this.children = [];
    this.style = {};
    this.attributes = {};
    this.heard = {};
  }
  appendChild(child) {
    child.parent = this;
    this.children.push(child);
    return child;
  }
  append(...children) {
    for (const child of children) this.appendChild(child);
  }
  replaceChildren() {
    this.children = [];
  }
  remove() {
    this.parent.children = this.parent.children.filter((child) => child !== this);
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  addEventListener(event, heard) {
    this.heard[event] = heard;
  }
  all(name) {
    return this.children.flatMap((child) => [
      ...(child.name === name ? [child] : []),
      ...child.all(name),
    ]);
  }
  find(name) {
    return this.all(name)[0];
  }
}

const body = new Node("body");
const left = [];
const document = {
  currentScript: { src: `${home}/stripe.js` },
  body,
  createElement: (name) => new Node(name),
  querySelector: () => body.find("div"),
};
const window = {};
const context = { window, document, fetch, URL, URLSearchParams, setTimeout, queueMicrotask };
context.location = { href: `${home}/here`, assign: (url) => left.push(url) };
vm.runInNewContext(readFileSync(script, "utf8"), context);

const stripe = window.Stripe(key);
const place = body.appendChild(new Node("div"));

function formWith(token) {
  const elements = stripe.elements({ clientSecret: setupSecret });
  const element = elements.create("payment", { layout: "tabs" });
  const heard = { ready: 0, change: [] };
  element.on("ready", () => (heard.ready += 1));
  element.on("change", (event) => heard.change.push(event.complete));
  place.replaceChildren();
  element.mount("#card");
  const select = place.find("select");
  select.value = token;
  select.heard.change();
  return { elements, heard };
}

// The customer types a card instead of choosing one.
async function saidOf(number, expiry, cvc) {
  const { elements, heard } = formWith("");
  for (const [index, value] of [number, expiry, cvc].entries()) {
    const input = place.all("input")[index];
    input.value = value;
    input.heard.input();
  }
  const submitted = await elements.submit();
  const { error } = await stripe.confirmSetup({ elements, redirect: "if_required" });
  return {
    complete: heard.change.at(-1),
    submitted: submitted.error?.code,
    code: error.code,
    message: error.message,
    shown: place.find("p").textContent,
  };
}

// The customer presses the button of the bank's page as soon as it is shown.
async function pressInFrame(outcome) {
  for (;;) {
    const frame = body.find("iframe");
    if (frame) {
      await fetch(frame.src, { method: "POST", body: new URLSearchParams({ outcome }) });
      return frame.src;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}

const told = { version: window.Stripe.version };

const declined = formWith("tok_chargeDeclined");
told.submitted = await declined.elements.submit();
told.declined = await stripe.confirmSetup({ elements: declined.elements, redirect: "if_required" });
told.heard = declined.heard;

told.typed = {
  nothing: await saidOf("", "", ""),
  short: await saidOf("4242 4242", "12 / 40", "123"),
  wrong: await saidOf("4242 4242 4242 4243", "12 / 40", "123"),
  undated: await saidOf("4242 4242 4242 4242", "13", "123"),
  past: await saidOf("4242 4242 4242 4242", "12 / 20", "123"),
  uncoded: await saidOf("4242 4242 4242 4242", "12 / 40", "12"),
  real: await saidOf("4111 1111 1111 1111", "12 / 40", "123"),
};

const asking = formWith("tok_authenticationRequiredOnSetup");
const [asked, page] = await Promise.all([
  stripe.confirmSetup({
    elements: asking.elements,
    confirmParams: { return_url: "http://127.0.0.1:3000/billing" },
    redirect: "if_required",
  }),
  pressInFrame("complete"),
]);
told.asked = asked;
told.page = page;
told.dialogLeft = body.find("iframe") !== undefined;
told.retrieved = await stripe.retrieveSetupIntent(setupSecret);

told.paid = await stripe.confirmCardPayment(paymentSecret, {
  payment_method: { card: formWith("tok_mastercard").elements.getElement("payment") },
});
told.again = await stripe.confirmCardPayment(paymentSecret, { payment_method: "pm_card_visa" });

const hard = formWith("tok_authenticationRequired");
[told.failed] = await Promise.all([
  stripe.confirmPayment({
    elements: hard.elements,
    clientSecret: hardSecret,
    redirect: "if_required",
  }),
  pressInFrame("fail"),
]);
const last = formWith("tok_visa");
stripe.confirmPayment({
  elements: last.elements,
  clientSecret: hardSecret,
  confirmParams: { return_url: "http://127.0.0.1:3000/billing" },
});
while (left.length === 0) await new Promise((done) => setTimeout(done, 20));
told.left = left;

try {
  window.Stripe("pk_live_1");
} catch (error) {
  told.live = error.message;
}
console.log(JSON.stringify(told));
