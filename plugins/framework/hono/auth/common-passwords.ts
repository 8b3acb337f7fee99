/**
 * Guessing starts with a word from a short list, dressed up: capitals, digits for letters, a year, an exclamation mark.
 * So the dress is taken off and what is left is looked up; this finds more than a list of whole passwords does.
 */
const WORDS = `
password passwort passord heslo haslo wachtwoord contrasena motdepasse senha parola salasana losenord geheim tajne
admin administrator root toor user guest login logon master manager default changeme secret private access welcome
hello letmein trustno qwerty qwertz azerty asdf asdfgh zxcvbn zxcvbnm qazwsx qwaszx iloveyou loveyou iloveu ilove loveme
lovely forever always princess prince queen king angel devil demon baby babygirl sweet sweety honey sugar cookie candy
sunshine moonlight rainbow flower summer winter autumn spring monday tuesday wednesday thursday friday saturday sunday
january february march april june july august september october november december
monkey dragon tiger lion panther eagle falcon hawk wolf bear shark dolphin butterfly spider snake horse mustang bulldog
doggy kitty kitten puppy buster rocky lucky happy funny crazy sexy hottie fuckyou fuckoff fuckme asshole bitch pussy
football baseball basketball soccer hockey tennis golf swimming volleyball cricket rugby racing wrestling
liverpool arsenal chelsea barcelona realmadrid juventus manchester united cowboys yankees lakers steelers redsox rangers
superman batman spiderman ironman starwars startrek pokemon pikachu naruto minecraft fortnite nintendo playstation xbox
computer internet google facebook youtube twitter instagram apple samsung windows microsoft linux oracle cisco
mercedes ferrari porsche corvette camaro harley yamaha honda toyota jordan nike
michael jennifer jessica ashley michelle daniel charlie thomas robert matthew andrew joshua anthony william david
nicole amanda samantha elizabeth victoria hannah maggie jasmine melissa patrick christian alexander benjamin george
richard joseph steven martin marina natasha sandra vanessa veronica claudia patricia barbara stephanie christina
london paris berlin america american canada mexico brazil germany france england scotland ireland australia russia
shadow killer hunter ranger soldier warrior ninja samurai pirate viking knight wizard merlin gandalf phoenix matrix
hacker cheater gamer player winner champion legend hero freedom liberty justice peace jesus christ jesuschrist heaven blessed
whatever nothing something anything nobody somebody testing test tester temp temporary demo example sample
blink slipknot metallica nirvana greenday eminem beatles rockstar guitar music
computer server database office company business security system network
chocolate banana orange cherry strawberry pepper ginger coffee pizza cheese chicken
purple yellow black white silver golden diamond crystal
correcthorsebatterystaple thisisapassword mypassword newpassword passwordpassword letmeinnow opensesame
`
const words = new Set(WORDS.split(/\s+/).filter(Boolean))

/** What fingers do on a keyboard or a child says by heart; runs of it in either direction. */
const RUNS = ["01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmikolp"]
const runs = RUNS.flatMap(run => [run, [...run].toReversed().join("")])

const LETTERS: Record<string, string> = { "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", $: "s", "!": "i", "+": "t" }

export function isCommon(password: string): boolean {
  const small = password.toLowerCase()
  return isRuns(small) || isRepeated(small) || spellings(small).some(isWords)
}

/** Without the tail and head of digits and signs, with signs read as letters, and both. */
function spellings(small: string): string[] {
  const bare = small.replaceAll(/^[^a-z]+|[^a-z]+$/g, "")
  const tailless = small.replaceAll(/^[\d\W_]+(?=.*[a-z])|(?:[\d\W_]|19\d\d|20\d\d){1,8}$/g, "")
  return [...new Set([bare, unleet(bare), unleet(tailless), unleet(small), unleet(small).replace(/l$/, "")])].map(text => text.replaceAll(/[^a-z]/g, ""))
}

function unleet(text: string): string {
  return [...text].map(letter => LETTERS[letter] ?? letter).join("")
}

/** One common word, or two or three of them in a row. */
function isWords(text: string, left = 3): boolean {
  if (text === "") return false
  if (words.has(text)) return true
  if (left === 1) return false
  for (let i = 3; i < text.length - 2; i++) if (words.has(text.slice(0, i)) && isWords(text.slice(i), left - 1)) return true
  return false
}

/** Nothing but runs of at least three: "12345qwert", "abcdef123456". */
function isRuns(text: string): boolean {
  let at = 0
  while (at < text.length) {
    let length = 0
    for (let n = Math.min(text.length - at, 26); n >= 3 && length === 0; n--) {
      if (runs.some(run => run.includes(text.slice(at, at + n)))) length = n
    }
    if (length === 0) break
    at += length
  }
  // One or two signs at the end make it no better.
  return at > 0 && text.length - at <= 2
}

/** "aaaaaaaaaa", "abcabcabcabc": a piece of at most six, again and again. */
function isRepeated(text: string): boolean {
  return /^(.{1,6}?)\1{2,}.{0,2}$/.test(text) || /^(.{4,})\1$/.test(text)
}
