import { expect, test } from "bun:test"
import { isLocation, toLocation } from "./location.ts"

test.each([
  ["/a%2Fb?next=%2Fx", "/a%2Fb?next=%2Fx"],
  ["/é", "/%C3%A9"],
  ["/%C3%A9", "/%C3%A9"],
  ["/ł/a%2Fb?next=%2Fx#ż", "/%C5%82/a%2Fb?next=%2Fx#%C5%BC"],
  ["/求人?q=日本 語", "/%E6%B1%82%E4%BA%BA?q=%E6%97%A5%E6%9C%AC%20%E8%AA%9E"],
  ["/🎉", "/%F0%9F%8E%89"],
  ["/\ud800", "/%EF%BF%BD"],
  ["/a b\"<>^`{|}", "/a%20b%22%3C%3E%5E%60%7B%7C%7D"],
  ["/100%", "/100%"],
  ["/a\r\nSet-Cookie: x=1", "/a%0D%0ASet-Cookie:%20x=1"],
  ["/\\evil.example", "/%5Cevil.example"],
  ["/\t/evil.example", "/%09/evil.example"],
  ["?page=2", "?page=2"],
  ["https://example.com:8443/a?b=[c]&d=e+f;g='(h)'!*~@$,", "https://example.com:8443/a?b=[c]&d=e+f;g='(h)'!*~@$,"],
  ["https://пример.рф/путь", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"],
  ["//müller.example:80/ü", "//xn--mller-kva.example:80/%C3%BC"],
  ["http://[::1]:80/é", "http://[::1]:80/%C3%A9"],
  ["mailto:é@example.com", "mailto:%C3%A9@example.com"],
])("%j as a Location is %j, and stays so", (target, wanted) => {
  expect(toLocation(target)).toBe(wanted)
  expect(toLocation(wanted)).toBe(wanted)
  expect(isLocation(wanted)).toBe(true)
})

test("what is no Location is known", () => {
  for (const text of ["/é", "/a b", "/ł", "/a\r\n"]) expect(isLocation(text)).toBe(false)
})
