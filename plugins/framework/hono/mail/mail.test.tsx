import { afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Socket } from "bun"
import type { Logger } from "edge"
import { type AnyApp, App } from "../app/app.ts"
import { mail, mailerOf } from "./mailer.ts"
import type { Message } from "./message.ts"
import { MailButton, MailPage } from "./template.tsx"
import { textOf } from "./text-of.ts"

const warnings: string[] = []
const log: Logger = { debug() {}, info() {}, warn: message => void warnings.push(message), error() {}, with: () => log }
const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const f of undo.splice(0).toReversed()) await f()
  warnings.length = 0
})

async function started(env: Record<string, string>): Promise<{ app: AnyApp; dir: string }> {
  const dir = mkdtempSync(join(tmpdir(), "edge-mail-"))
  const app = new App({ name: "Newsroom", url: "https://news.example" })
  await app.boot({ dir, name: "news", env: { SECRET_KEY: "a secret of sixteen or more", ...env }, dev: false, log })
  undo.push(() => rmSync(dir, { recursive: true }), () => app.shutdown())
  return { app, dir }
}

/** Speaks SMTP (RFC 5321) as far as a client needs, and keeps what it hears. */
function smtpServer(answers: Record<string, string> = {}) {
  const heard: { commands: string[]; messages: string[] } = { commands: [], messages: [] }
  const state = new WeakMap<Socket, { buffer: string; data: boolean }>()
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        state.set(socket, { buffer: "", data: false })
        socket.write("220 test\r\n")
      },
      data(socket, bytes) {
        const at = state.get(socket)!
        at.buffer += bytes.toString()
        for (;;) {
          const end = at.buffer.indexOf(at.data ? "\r\n.\r\n" : "\r\n")
          if (end === -1) return
          const line = at.buffer.slice(0, end)
          at.buffer = at.buffer.slice(end + (at.data ? 5 : 2))
          if (at.data) {
            heard.messages.push(line)
            at.data = false
            socket.write("250 kept\r\n")
            continue
          }
          heard.commands.push(line)
          const verb = line.split(/[ :]/)[0]!.toUpperCase()
          if (verb === "DATA") at.data = true
          socket.write(`${answers[verb] ?? { EHLO: "250-test\r\n250 AUTH PLAIN", DATA: "354 go on", AUTH: "235 in", QUIT: "221 bye" }[verb] ?? "250 ok"}\r\n`)
        }
      },
    },
  })
  undo.push(() => server.stop(true))
  return { port: server.port, heard }
}

const hello: Message = { to: { name: "Ann", address: "ann@example.com" }, subject: "Grüße", text: "Hello\n.\nend" }

describe("back ends", () => {
  test("SMTP: the whole dialogue, with a password, and one connection for two mails", async () => {
    const { port, heard } = smtpServer()
    await started({ MAIL_URL: `smtp://user:pass@127.0.0.1:${port}`, MAIL_FROM: "news@news.example" })
    await mail.send(hello)
    await mail.send({ ...hello, bcc: ["hidden@example.com"], subject: "Two" })
    expect(heard.commands.filter(line => line.startsWith("EHLO"))).toHaveLength(1)
    expect(heard.commands).toContain(`AUTH PLAIN ${Buffer.from("\0user\0pass").toString("base64")}`)
    expect(heard.commands).toContain("MAIL FROM:<news@news.example>")
    expect(heard.commands).toContain("RCPT TO:<hidden@example.com>")
    expect(heard.messages).toHaveLength(2)
    expect(heard.messages[0]).toContain("To: Ann <ann@example.com>")
    expect(heard.messages[0]).toContain("Subject: =?UTF-8?")
    // A line that is a dot alone does not end the mail.
    expect(heard.messages[0]).toContain("\r\n..\r\nend")
    expect(heard.messages.join("")).not.toContain("hidden@")
  })

  test("SMTP: an internationalised domain goes out in ASCII", async () => {
    const { port, heard } = smtpServer()
    await started({ MAIL_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: "news@münchen.example" })
    await mail.send({ ...hello, to: { name: "Почта", address: "info@почта.рф" }, replyTo: "ann@例え.テスト" })
    expect(heard.commands).toContain("MAIL FROM:<news@xn--mnchen-3ya.example>")
    expect(heard.commands).toContain("RCPT TO:<info@xn--80a1acny.xn--p1ai>")
    expect(heard.messages[0]).toContain("<info@xn--80a1acny.xn--p1ai>")
    expect(heard.messages[0]).toContain("Reply-To: ann@xn--r8jz45g.xn--zckzah")
  })

  test("SMTP: what the server refuses is an error of send", async () => {
    const { port } = smtpServer({ RCPT: "550 no such mailbox" })
    await started({ MAIL_URL: `smtp://127.0.0.1:${port}` })
    await expect(mail.send(hello)).rejects.toThrow("550 no such mailbox")
  })

  test("SMTP: a password does not go to another machine without TLS", async () => {
    const { transportFor } = await import("./transports.ts")
    // As a man in the middle would have it.
    const { port, heard } = smtpServer({ STARTTLS: "502 what is that?" })
    // The name leads to this machine, but is none of it as it is written.
    const transport = await transportFor(`smtp://user:pass@0.0.0.0:${port}`, { dir: "/", log, outbox: [] })
    undo.push(() => transport.close())
    const letter = { from: "a@x.org", to: ["b@x.org"], cc: [], bcc: [], subject: "x", text: "x", headers: {}, attachments: [] }
    await expect(transport.deliver(letter)).rejects.toThrow()
    expect(heard.commands.filter(line => line.startsWith("AUTH"))).toEqual([])
  })

  test("file: each mail a file that only its user reads", async () => {
    const { dir } = await started({ MAIL_URL: "file:mails" })
    await mail.send({ ...hello, attachments: [{ name: "list.csv", content: "a,b" }] })
    const [name] = readdirSync(join(dir, "mails"))
    const written = readFileSync(join(dir, "mails", name!), "utf8")
    expect(written).toContain("From: Newsroom <noreply@news.example>")
    expect(written).toContain("filename=list.csv")
    expect(statSync(join(dir, "mails", name!)).mode & 0o777).toBe(0o600)
  })

  test("console: printed, with a warning in production", async () => {
    await started({})
    const said: unknown[] = []
    const before = console.log
    try {
      console.log = (...words: unknown[]) => void said.push(...words)
      await mail.send(hello)
    } finally {
      console.log = before
    }
    expect(String(said[0])).toContain("To: ann@example.com")
    expect(warnings).toEqual(["mails are printed here and not sent: set MAIL_URL"])
  })

  test("memory: the outbox; anything else is an error that hides the password", async () => {
    const { app } = await started({ MAIL_URL: "memory:" })
    await mail.send(hello)
    expect(mailerOf(app).outbox).toHaveLength(1)
    await app.shutdown()
    await app.boot({ dir: "/", name: "x", env: { SECRET_KEY: "a secret of sixteen or more", MAIL_URL: "stmp://user:geheim@host" }, dev: false, log })
    const error = (await mail.send(hello).catch(e => e)) as Error
    expect(error.message).toContain("must be smtp://")
    expect(error.message).not.toContain("geheim")
  })
})

describe("what comes from outside adds no header and no receiver", () => {
  const attacks: [string, Message][] = [
    ["subject", { ...hello, subject: "Hi\r\nBcc: all@example.com" }],
    ["address", { ...hello, to: "ann@example.com\r\nBcc: all@example.com" }],
    ["list in one address", { ...hello, to: "ann@example.com, all@example.com" }],
    ["name", { ...hello, to: { name: "Ann\nBcc: all@example.com", address: "ann@example.com" } }],
    ["reply to", { ...hello, replyTo: "x@example.com\nBcc: all@example.com" }],
    ["header", { ...hello, headers: { "X-A": "1\r\nBcc: all@example.com" } }],
    ["header's name", { ...hello, headers: { "X-A: 1\r\nBcc": "all@example.com" } }],
    ["attachment", { ...hello, attachments: [{ name: "a\r\nBcc: all@example.com", content: "" }] }],
    ["nobody", { ...hello, to: [] }],
  ]
  for (const [what, message] of attacks) {
    test(what, async () => {
      const { app } = await started({ MAIL_URL: "memory:" })
      await expect(mail.send(message)).rejects.toThrow()
      expect(mailerOf(app).outbox).toEqual([])
    })
  }

  test("a name with every sign of its own stays a name", async () => {
    const { port, heard } = smtpServer()
    await started({ MAIL_URL: `smtp://127.0.0.1:${port}` })
    await mail.send({ ...hello, to: { name: `"Ann", <all@example.com>`, address: "ann@example.com" } })
    expect(heard.commands.filter(line => line.startsWith("RCPT"))).toEqual(["RCPT TO:<ann@example.com>"])
  })
})

describe("templates", () => {
  test("a body is HTML and text, and values in it are escaped", async () => {
    const { app } = await started({ MAIL_URL: "memory:" })
    const name = `<script>alert("x")</script> & co`
    await mail.send({
      to: "ann@example.com",
      subject: "Hi",
      body: (
        <MailPage title={`Hello, ${name}`}>
          <p>Press it.</p>
          <MailButton href="https://news.example/x?a=1&b=2">Go on</MailButton>
        </MailPage>
      ),
    })
    const [letter] = mailerOf(app).outbox
    expect(letter!.html).toStartWith("<!DOCTYPE html><html")
    expect(letter!.html).not.toContain("<script>")
    expect(letter!.text).toBe(`Hello, ${name}\n\nPress it.\n\nGo on:\nhttps://news.example/x?a=1&b=2\n\n--\n\nNewsroom:\nhttps://news.example\n`)
  })

  test("text of lists, line breaks and bare links", async () => {
    const html = `<style>p{}</style><ul><li>one</li><li>two &amp; a half</li></ul><p>a<br>b  c</p><a href="https://x.example">https://x.example</a>`
    expect(await textOf(html)).toBe("- one\n- two & a half\n\na\nb c\n\nhttps://x.example\n")
  })
})
