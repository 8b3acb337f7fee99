import { expect, test } from "bun:test"
import { onBoth } from "../testdata/databases.ts"
import { ne, oneOf } from "./compare.ts"
import { isEmail, toEmail } from "./email-address.ts"
import { ValidationError } from "./errors.ts"
import { email } from "./fields.ts"
import { model } from "./model.ts"

const Reader = model("reader", { address: email({ unique: true }), other: email({ optional: true }) })

const GOOD = [
  ["info@почта.рф", "info@xn--80a1acny.xn--p1ai"],
  ["info@xn--80a1acny.xn--p1ai", "info@xn--80a1acny.xn--p1ai"],
  ["  info@ПОЧТА.рф ", "info@xn--80a1acny.xn--p1ai"],
  ["ann@münchen.example", "ann@xn--mnchen-3ya.example"],
  ["ann@例え.テスト", "ann@xn--r8jz45g.xn--zckzah"],
  ["ann@faß.de", "ann@xn--fa-hia.de"],
  ["Ann.O'Brien+tag@Example.com", "Ann.O'Brien+tag@Example.com"],
  ["a/b!c#d$e%f&g*h=i?j^k`l{m|n}o~p_q-r@example.co.uk", "a/b!c#d$e%f&g*h=i?j^k`l{m|n}o~p_q-r@example.co.uk"],
  ["a@1.example", "a@1.example"],
] as const
const BAD = ["", "a", "@example.com", "a@", "a@b", "a@b@example.com", "почта@example.com", "a..b@example.com", ".a@example.com", "a.@example.com", "a@-b.example", "a@b-.example", "a@b..example", "a b@example.com", "a@exa mple.com", "a@example.com,b@example.com", "<a@example.com>", "a@example.com\n.b", "a@[127.0.0.1]", `a@${"x".repeat(64)}.example`, `${"a".repeat(245)}@example.com`, "a@рф", "a@\u2028.рф"]

test.each(GOOD)("%j is kept as %j", (typed, kept) => {
  expect(toEmail(typed)).toBe(kept)
  expect(toEmail(kept)).toBe(kept)
  expect(isEmail(kept)).toBe(true)
})
test.each(BAD)("%j is no address", text => expect(isEmail(toEmail(text))).toBe(false))

onBoth("email()", [Reader], () => {
  test("an internationalised domain is kept in ASCII, unique and found in both forms", async () => {
    const row = await Reader.create({ address: "info@почта.рф" })
    expect(row.address).toBe("info@xn--80a1acny.xn--p1ai")
    for (const same of ["info@почта.рф", "info@Почта.РФ", "info@xn--80a1acny.xn--p1ai"]) {
      expect((await Reader.get({ address: same })).id).toBe(row.id)
      expect(await Reader.where({ address: oneOf([same]) }).count()).toBe(1)
      expect(await Reader.where({ address: ne(same) }).count()).toBe(0)
      await expect(Reader.create({ address: same })).rejects.toThrow("There is one with this value already")
    }
    expect(await Reader.where({ address: "info@пошта.рф" }).exists()).toBe(false)
    expect((await Reader.update(row, { other: "b@münchen.example" })).other).toBe("b@xn--mnchen-3ya.example")
    await expect(Reader.create({ address: "почта@почта.рф" })).rejects.toThrow(ValidationError)
  })
})
