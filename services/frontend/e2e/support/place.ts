// The running installation that is tested: its keys, tokens, agents and processes.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Role } from "@/lib/billing/types";

const ROOT = resolve(import.meta.dirname, "../../../..");
const HOME = resolve(ROOT, process.env.BILLING_HOME ?? "var");
const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv/bin/python");

/** A token as the host of this page would make one. */
export function mintToken(organizations: Record<string, Role>, lifetimeSeconds = 3600): string {
  const secret = readFileSync(join(HOME, "keys/auth_secret"), "utf8").trim();
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
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
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

  /** Call a model once; resolves when it is recorded, which is before it is billed. */
  async calls(provider: string, model: string): Promise<void> {
    this.process.stdin?.write(`${provider} ${model}\n`);
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

/** Holds a service's process, so that it answers nobody; returns what lets it go on. */
export function holdService(name: string): () => void {
  const processes = execFileSync("pgrep", ["-f", `${PYTHON}.* -m services.${name}$`], {
    encoding: "utf8",
  })
    .trim()
    .split("\n")
    .map(Number)
    .filter((id) => environmentOf(id).includes(`${HOME}/`));
  if (processes.length === 0) throw new Error(`${name} is not running.`);
  for (const id of processes) process.kill(id, "SIGSTOP");
  return () => {
    for (const id of processes) process.kill(id, "SIGCONT");
  };
}

function environmentOf(id: number): string {
  return readFileSync(`/proc/${id}/environ`, "utf8");
}
