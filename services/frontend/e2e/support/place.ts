// The running installation that is tested: its keys, tokens, agents and time.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Role } from "@/lib/billing/types";

const ROOT = resolve(import.meta.dirname, "../../../..");
const HOME = resolve(ROOT, process.env.BILLING_HOME ?? "var");
const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv/bin/python");

/** A secret of the installation. */
export function readKey(name: string): string {
  return readFileSync(join(HOME, "keys", name), "utf8").trim();
}

/** A token as the host of this page would make one. */
export function mintToken(organizations: Record<string, Role>, lifetimeSeconds = 3600): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    sub: "tester",
    iss: "billing",
    aud: "billing",
    iat: now,
    exp: now + lifetimeSeconds,
    orgs: organizations,
  };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  const secret = readKey("auth_secret");
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

interface Calls {
  daysAgo?: number;
  times?: number;
}

/** A real agent of an organization, on the bus. */
export class Agent {
  private constructor(
    private readonly process: ChildProcess,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async of(organization: string): Promise<Agent> {
    const child = spawn(PYTHON, ["-m", "tests.frontend.agent", organization], {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (!child.stdout) throw new Error("An agent has no output.");
    const agent = new Agent(child, createInterface(child.stdout)[Symbol.asyncIterator]());
    await agent.hears("ready");
    return agent;
  }

  /** Call a model; resolves when it is recorded, which is before it is billed. */
  async calls(
    provider: string,
    model: string,
    { daysAgo = 0, times = 1 }: Calls = {},
  ): Promise<void> {
    this.process.stdin?.write(`${provider} ${model} ${daysAgo} ${times}\n`);
    await this.hears("recorded");
  }

  stop(): void {
    this.process.kill();
  }

  private async hears(line: string): Promise<void> {
    const { value } = await this.lines.next();
    if (value !== line) throw new Error(`The agent said ${value} and not ${line}.`);
  }
}

/** A service that answers nobody until it goes on, or is started anew. */
export interface Held {
  letGo: () => void;
  /** Kills it; what keeps the installation running starts it again. */
  restart: () => void;
}

/** Holds a service's processes. */
export function holdService(name: string): Held {
  const processes = processesOf(name);
  if (processes.length === 0) throw new Error(`${name} is not running.`);
  let isHeld = true;
  const signal = (what: NodeJS.Signals) => {
    for (const id of processes) if (isHeld) process.kill(id, what);
  };
  const end = (what: NodeJS.Signals) => () => {
    signal(what);
    isHeld = false;
  };
  signal("SIGSTOP");
  return { letGo: end("SIGCONT"), restart: end("SIGKILL") };
}

function processesOf(service: string): number[] {
  return execFileSync("pgrep", ["-f", `${PYTHON}.* -m services.${service}$`], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map(Number)
    .filter((id) => readFileSync(`/proc/${id}/environ`, "utf8").includes(`${HOME}/`));
}

/** Takes the whole installation, and Stripe's sandbox, to a later moment. */
export function travelTo(moment: Date): void {
  runModule("deploy.time_machine", "--to", moment.toISOString().slice(0, 19));
}

/** Runs a command of the installation to its end. */
export function runModule(name: string, ...options: string[]): void {
  execFileSync(PYTHON, ["-m", name, ...options, "--home", HOME], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
}
