import { expect, test } from "bun:test"
import { Hashing } from "./hashing.ts"
import { isCommon } from "./common-passwords.ts"
import { passwordFault, standardRules } from "./password-rules.ts"

const quick = { memoryCost: 64, timeCost: 1 }

test("argon2id with OWASP's parameters, and a right and a wrong password", async () => {
  const hashing = new Hashing()
  const hash = await hashing.hash("korrekt läuft es")
  expect(hash).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$")
  expect(hashing.isOld(hash)).toBe(false)
  expect(await hashing.verify("korrekt läuft es", hash)).toBe(true)
  expect(await hashing.verify("korrekt laeuft es", hash)).toBe(false)
  // The same characters as another keyboard sends them.
  expect(await hashing.verify("korrekt läuft es".normalize("NFD"), hash)).toBe(true)
})

test("an absent user costs as many hashes as a present one", async () => {
  const hashing = new Hashing(quick)
  await hashing.warm()
  const hash = await hashing.hash("x")
  const count = async (of: string | undefined) => {
    const before = hashing.computed
    expect(await hashing.verify("y", of)).toBe(false)
    return hashing.computed - before
  }
  expect(await count(hash)).toBe(1)
  expect(await count(undefined)).toBe(1)
  expect(await count("not a hash at all")).toBe(1)
})

test("a hash of other parameters is old", async () => {
  expect(new Hashing().isOld(await new Hashing(quick).hash("x"))).toBe(true)
  expect(new Hashing().isOld(await Bun.password.hash("x", { algorithm: "bcrypt", cost: 4 }))).toBe(true)
})

test("never more than four hashes at once, and all of them are done", async () => {
  const hashing = new Hashing(quick)
  const right = await hashing.hash("x")
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => hashing.verify(i % 2 === 0 ? "x" : "y", right)))
  expect(answers.filter(Boolean)).toHaveLength(50)
  const flood = Array.from({ length: 300 }, () => hashing.verify("x", right).catch(error => (error as Error).name))
  expect((await Promise.all(flood)).filter(answer => answer === "Busy")).toHaveLength(300 - 204)
})

test("rules", async () => {
  const ann = { email: "ann.smithson@example.com", name: "Ann Smithson" }
  const fault = (password: string) => passwordFault(password, ann, standardRules)
  expect(await fault("short")).toBe("Too short: at least 10 characters.")
  expect(await fault("annsmithson1")).toBe("Too much like your name or e-mail address.")
  expect(await fault("nosHtimSnna")).toBe("Too much like your name or e-mail address.")
  expect(await fault("7391048265")).toBe("Only digits are too easy to guess.")
  expect(await fault("Password2024!")).toBe("Too common: it is among the first that are guessed.")
  expect(await fault("x".repeat(1025))).toBe("Too long: at most 1024 characters.")
  expect(await fault("helicopter77")).toBe("One word with a number is guessed early: add another word.")
  expect(await fault("ann smithson fell off the roof")).toBeUndefined()
  expect(await fault("mauve-otter-7-lantern")).toBeUndefined()
})

test("common ones are known in every dress", () => {
  for (const bad of ["1234567890", "qwertyuiop", "P@ssw0rd123", "iloveyou2", "football1990", "Welcome2026!", "aaaaaaaaaaaa", "abcabcabcabc", "1q2w3e4r5t", "qwerty12345", "letmein!!!!", "superman1234", "adminadmin", "987654321a", "dragonmaster", "TrustNo1!!"]) {
    expect([bad, isCommon(bad)]).toEqual([bad, true])
  }
  for (const good of ["mauve-otter-7-lantern", "v9#Kd8sLq2", "tropical window bread", "Zebulon cracks 14 nuts"]) {
    expect([good, isCommon(good)]).toEqual([good, false])
  }
})
