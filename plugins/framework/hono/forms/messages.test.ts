import { expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { english } from "./languages/en.ts"
import { addMessages, hasMessages, type MessageCode, pickLanguage, say, sizeText } from "./messages.ts"
import { fromLocal, gapAt, toLocal } from "./time.ts"

test("every language says everything, with the same blanks", () => {
  const blanks = (text: string) => text.match(/\{\w+\}/g) ?? []
  const languages = readdirSync(join(import.meta.dir, "languages")).map(name => name.replace(".ts", ""))
  expect(languages.length).toBeGreaterThan(8)
  for (const lang of languages) {
    expect(hasMessages(lang)).toBe(true)
    for (const [code, text] of Object.entries(english)) {
      const said = say(lang, code as MessageCode, { limit: "{limit}", label: "{label}", fields: "{fields}" })
      expect([lang, code, blanks(said)]).toEqual([lang, code, blanks(text)])
      if (lang !== "en" && text.length > 8) expect(said).not.toBe(text)
    }
  }
})

test("the language is the best that the browser asks for and we have", () => {
  const cases: [string, string | undefined][] = [
    ["de-CH, en;q=0.8", "de"],
    ["xx, en;q=0.1, pl;q=0.9", "pl"],
    ["fr;q=0, en", "en"],
    ["*", undefined],
    ["", undefined],
    ["../../etc, <script>, de", "de"],
    ["en;q=abc, es", "es"],
    [`${"x,".repeat(1000)}de`, undefined],
  ]
  for (const [header, lang] of cases) expect([header.slice(0, 30), pickLanguage(header, hasMessages)]).toEqual([header.slice(0, 30), lang])
})

test("apps add languages; what they leave out stays English", () => {
  addMessages("eo", { required: "Bonvolu plenigi." })
  expect([say("eo", "required"), say("eo", "email"), say("eo-XX", "required")]).toEqual(["Bonvolu plenigi.", english.email, "Bonvolu plenigi."])
})

test("sizes for people", () => {
  expect([sizeText(1, "en"), sizeText(20_000_000, "en"), sizeText(1_500_000, "de")]).toEqual(["1 byte", "20 MB", "1,5 MB"])
})

test("the wall clock of a zone, there and back; clocks that change, days that are not", () => {
  const cases: [string, string, string | undefined][] = [
    ["2026-01-01T12:00", "Europe/Berlin", "2026-01-01T11:00:00.000Z"],
    ["2026-07-01T12:00", "Europe/Berlin", "2026-07-01T10:00:00.000Z"],
    ["2026-07-01T00:30", "America/New_York", "2026-07-01T04:30:00.000Z"],
    ["2026-03-29T03:30", "Europe/Berlin", "2026-03-29T01:30:00.000Z"],
    ["2026-11-23T14:05:06.5", "Asia/Kolkata", "2026-11-23T08:35:06.500Z"],
    // Twice there: the first. On both sides of Greenwich, and where it is half an hour.
    ["2026-10-25T02:30", "Europe/Warsaw", "2026-10-25T00:30:00.000Z"],
    ["2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00.000Z"],
    ["2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-04T14:45:00.000Z"],
    ["2026-10-25T03:00", "Europe/Warsaw", "2026-10-25T02:00:00.000Z"],
    ["2026-02-29T00:00", "UTC", undefined],
    ["2026-01-01T10:00:60", "UTC", undefined],
    ["2026-01-01T24:00", "UTC", undefined],
    ["2026-13-01T00:00", "UTC", undefined],
    ["0000-01-01T00:00", "UTC", undefined],
    ["tomorrow", "UTC", undefined],
  ]
  for (const [text, zone, moment] of cases) {
    const date = fromLocal(text, zone)
    expect([text, date?.toISOString()]).toEqual([text, moment])
    if (date !== undefined) expect(fromLocal(toLocal(date, zone), zone)).toEqual(date)
  }
  expect(toLocal(new Date("2026-07-01T10:00Z"), "Europe/Berlin")).toBe("2026-07-01T12:00")
})

test("a time that the clocks leave out is told with the hours between which there is none", () => {
  const cases: [string, string, { from: string; to: string } | undefined][] = [
    ["2026-03-29T01:59", "Europe/Warsaw", undefined],
    ["2026-03-29T02:00", "Europe/Warsaw", { from: "02:00", to: "03:00" }],
    ["2026-03-29T02:59:59.999", "Europe/Warsaw", { from: "02:00", to: "03:00" }],
    ["2026-03-29T03:00", "Europe/Warsaw", undefined],
    ["2026-03-29T01:30", "Europe/London", { from: "01:00", to: "02:00" }],
    ["2026-03-08T02:30", "America/New_York", { from: "02:00", to: "03:00" }],
    ["2026-10-04T02:15", "Australia/Lord_Howe", { from: "02:00", to: "02:30" }],
    ["2026-10-25T02:30", "Europe/Warsaw", undefined],
    ["2018-11-04T00:30", "America/Sao_Paulo", { from: "00:00", to: "01:00" }],
    ["2026-03-29T02:30", "UTC", undefined],
    ["2026-03-29T02:30", "Asia/Kolkata", undefined],
    ["tomorrow", "Europe/Warsaw", undefined],
  ]
  for (const [text, zone, gap] of cases) expect([text, gapAt(text, zone)]).toEqual([text, gap] as never)
  expect(fromLocal("2026-03-29T02:30", "Europe/Warsaw")).toEqual(new Date("2026-03-29T01:30:00Z"))
})
