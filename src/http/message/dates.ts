const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const imf = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
const rfc850 = /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/
const asctime = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/

/** Unix seconds of an HTTP-date in any of its three forms (RFC 9110 5.6.7), or null. */
export function parseHttpDate(text: string): number | null {
  let found = imf.exec(text)
  if (found !== null) return seconds(found[3]!, found[2]!, found[1]!, found.slice(4))
  found = rfc850.exec(text)
  if (found !== null) {
    const year = 2000 + Number(found[3])
    // More than 50 years ahead means the last century.
    const past = year > new Date().getUTCFullYear() + 50 ? 100 : 0
    return seconds(String(year - past), found[2]!, found[1]!, found.slice(4))
  }
  found = asctime.exec(text)
  return found === null ? null : seconds(found[6]!, found[1]!, found[2]!, found.slice(3, 6))
}

function seconds(year: string, month: string, day: string, time: readonly string[]): number | null {
  const index = months.indexOf(month)
  const ms = Date.UTC(Number(year), index, Number(day), Number(time[0]), Number(time[1]), Number(time[2]))
  return index < 0 || Number.isNaN(ms) ? null : ms / 1000
}
