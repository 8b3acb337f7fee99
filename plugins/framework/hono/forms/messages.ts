import type { Context } from "hono"

/** What forms say by themselves. `{limit}` and the like are filled in. */
export type MessageCode = keyof typeof english

const english = {
  required: "Please fill this in.",
  mustAccept: "Please tick this box.",
  invalid: "This is not valid.",
  tooShort: "Please use at least {limit} characters.",
  tooLong: "Please use at most {limit} characters.",
  tooFew: "Please choose at least {limit}.",
  tooMany: "Please choose at most {limit}.",
  email: "Please give a valid e-mail address.",
  url: "Please give a web address that starts with http:// or https://.",
  slug: "Only small letters, digits and single hyphens.",
  number: "Please give a number.",
  integer: "Please give a whole number.",
  decimal: "Please give a number with at most {limit} digits after the point.",
  tooSmall: "Please give {limit} or more.",
  tooBig: "Please give {limit} or less.",
  date: "Please give a valid date.",
  datetime: "Please give a valid date and time.",
  time: "Please give a valid time.",
  choice: "Please choose one of the choices.",
  json: "This is not valid JSON.",
  unique: "There is one with this value already.",
  fileTooLarge: "The file is too large; at most {limit}.",
  tooManyFiles: "At most {limit} files.",
  fileType: "Files of this kind are not taken; please choose {limit}.",
  notImage: "This is not a picture that can be read.",
  tooManyPixels: "This picture has too many pixels.",
  fileAgain: "Please choose the file again.",
  summary: "Please look at these again:",
  optional: "optional",
  nothing: "Nothing",
  yes: "Yes",
  no: "No",
  current: "Now:",
  clear: "Remove",
  find: "Find",
  findLabel: "Search for {label}",
  more: "There are more: type a word and press Find.",
  add: "Add another",
  remove: "Remove",
  order: "Order",
  tooFewRows: "Please fill in at least {limit}.",
  tooManyRows: "At most {limit}.",
  gone: "This changed while you worked; please start again.",
} as const

type Catalogue = Readonly<Record<keyof typeof english, string>>

const german: Catalogue = {
  required: "Bitte füllen Sie dieses Feld aus.",
  mustAccept: "Bitte setzen Sie hier ein Häkchen.",
  invalid: "Das ist nicht gültig.",
  tooShort: "Bitte mindestens {limit} Zeichen.",
  tooLong: "Bitte höchstens {limit} Zeichen.",
  tooFew: "Bitte wählen Sie mindestens {limit}.",
  tooMany: "Bitte wählen Sie höchstens {limit}.",
  email: "Bitte geben Sie eine gültige E-Mail-Adresse an.",
  url: "Bitte geben Sie eine Webadresse an, die mit http:// oder https:// beginnt.",
  slug: "Nur Kleinbuchstaben, Ziffern und einzelne Bindestriche.",
  number: "Bitte geben Sie eine Zahl an.",
  integer: "Bitte geben Sie eine ganze Zahl an.",
  decimal: "Bitte eine Zahl mit höchstens {limit} Stellen nach dem Komma.",
  tooSmall: "Bitte {limit} oder mehr.",
  tooBig: "Bitte {limit} oder weniger.",
  date: "Bitte geben Sie ein gültiges Datum an.",
  datetime: "Bitte geben Sie Datum und Uhrzeit an.",
  time: "Bitte geben Sie eine gültige Uhrzeit an.",
  choice: "Bitte wählen Sie eine der Möglichkeiten.",
  json: "Das ist kein gültiges JSON.",
  unique: "Diesen Wert gibt es schon.",
  fileTooLarge: "Die Datei ist zu groß; höchstens {limit}.",
  tooManyFiles: "Höchstens {limit} Dateien.",
  fileType: "Solche Dateien werden nicht angenommen; bitte {limit}.",
  notImage: "Dieses Bild ist nicht lesbar.",
  tooManyPixels: "Dieses Bild hat zu viele Pixel.",
  fileAgain: "Bitte wählen Sie die Datei noch einmal.",
  summary: "Bitte sehen Sie sich das noch einmal an:",
  optional: "freiwillig",
  nothing: "Nichts",
  yes: "Ja",
  no: "Nein",
  current: "Jetzt:",
  clear: "Entfernen",
  find: "Suchen",
  findLabel: "{label} suchen",
  more: "Es gibt mehr: geben Sie ein Wort ein und drücken Sie Suchen.",
  add: "Hinzufügen",
  remove: "Entfernen",
  order: "Reihenfolge",
  tooFewRows: "Bitte füllen Sie mindestens {limit} aus.",
  tooManyRows: "Höchstens {limit}.",
  gone: "Das wurde inzwischen geändert; bitte beginnen Sie neu.",
}

const french: Catalogue = {
  required: "Veuillez remplir ce champ.",
  mustAccept: "Veuillez cocher cette case.",
  invalid: "Ce n’est pas valide.",
  tooShort: "Au moins {limit} caractères.",
  tooLong: "Au plus {limit} caractères.",
  tooFew: "Choisissez-en au moins {limit}.",
  tooMany: "Choisissez-en au plus {limit}.",
  email: "Veuillez donner une adresse e-mail valide.",
  url: "Veuillez donner une adresse web qui commence par http:// ou https://.",
  slug: "Seulement des minuscules, des chiffres et des tirets simples.",
  number: "Veuillez donner un nombre.",
  integer: "Veuillez donner un nombre entier.",
  decimal: "Un nombre avec au plus {limit} décimales.",
  tooSmall: "{limit} ou plus.",
  tooBig: "{limit} ou moins.",
  date: "Veuillez donner une date valide.",
  datetime: "Veuillez donner une date et une heure valides.",
  time: "Veuillez donner une heure valide.",
  choice: "Veuillez choisir une des possibilités.",
  json: "Ce n’est pas du JSON valide.",
  unique: "Cette valeur existe déjà.",
  fileTooLarge: "Le fichier est trop grand ; au plus {limit}.",
  tooManyFiles: "Au plus {limit} fichiers.",
  fileType: "Ce type de fichier n’est pas accepté ; choisissez {limit}.",
  notImage: "Cette image ne peut pas être lue.",
  tooManyPixels: "Cette image a trop de pixels.",
  fileAgain: "Veuillez choisir le fichier à nouveau.",
  summary: "Veuillez revoir ceci :",
  optional: "facultatif",
  nothing: "Rien",
  yes: "Oui",
  no: "Non",
  current: "Actuel :",
  clear: "Retirer",
  find: "Chercher",
  findLabel: "Chercher {label}",
  more: "Il y en a d’autres : tapez un mot et appuyez sur Chercher.",
  add: "Ajouter",
  remove: "Retirer",
  order: "Ordre",
  tooFewRows: "Remplissez-en au moins {limit}.",
  tooManyRows: "Au plus {limit}.",
  gone: "Cela a changé entre-temps ; veuillez recommencer.",
}

const spanish: Catalogue = {
  required: "Rellene este campo.",
  mustAccept: "Marque esta casilla.",
  invalid: "No es válido.",
  tooShort: "Al menos {limit} caracteres.",
  tooLong: "Como máximo {limit} caracteres.",
  tooFew: "Elija al menos {limit}.",
  tooMany: "Elija como máximo {limit}.",
  email: "Indique una dirección de correo válida.",
  url: "Indique una dirección web que empiece por http:// o https://.",
  slug: "Solo minúsculas, cifras y guiones sueltos.",
  number: "Indique un número.",
  integer: "Indique un número entero.",
  decimal: "Un número con {limit} decimales como máximo.",
  tooSmall: "{limit} o más.",
  tooBig: "{limit} o menos.",
  date: "Indique una fecha válida.",
  datetime: "Indique una fecha y hora válidas.",
  time: "Indique una hora válida.",
  choice: "Elija una de las opciones.",
  json: "No es JSON válido.",
  unique: "Ya existe uno con este valor.",
  fileTooLarge: "El archivo es demasiado grande; como máximo {limit}.",
  tooManyFiles: "Como máximo {limit} archivos.",
  fileType: "No se aceptan archivos de este tipo; elija {limit}.",
  notImage: "Esta imagen no se puede leer.",
  tooManyPixels: "Esta imagen tiene demasiados píxeles.",
  fileAgain: "Elija el archivo otra vez.",
  summary: "Revise lo siguiente:",
  optional: "opcional",
  nothing: "Nada",
  yes: "Sí",
  no: "No",
  current: "Ahora:",
  clear: "Quitar",
  find: "Buscar",
  findLabel: "Buscar {label}",
  more: "Hay más: escriba una palabra y pulse Buscar.",
  add: "Añadir",
  remove: "Quitar",
  order: "Orden",
  tooFewRows: "Rellene al menos {limit}.",
  tooManyRows: "Como máximo {limit}.",
  gone: "Esto ha cambiado mientras tanto; empiece de nuevo.",
}

const polish: Catalogue = {
  required: "Proszę wypełnić to pole.",
  mustAccept: "Proszę zaznaczyć to pole.",
  invalid: "To nie jest poprawne.",
  tooShort: "Co najmniej {limit} znaków.",
  tooLong: "Co najwyżej {limit} znaków.",
  tooFew: "Proszę wybrać co najmniej {limit}.",
  tooMany: "Proszę wybrać co najwyżej {limit}.",
  email: "Proszę podać poprawny adres e-mail.",
  url: "Proszę podać adres, który zaczyna się od http:// lub https://.",
  slug: "Tylko małe litery, cyfry i pojedyncze łączniki.",
  number: "Proszę podać liczbę.",
  integer: "Proszę podać liczbę całkowitą.",
  decimal: "Liczba z najwyżej {limit} miejscami po przecinku.",
  tooSmall: "{limit} lub więcej.",
  tooBig: "{limit} lub mniej.",
  date: "Proszę podać poprawną datę.",
  datetime: "Proszę podać poprawną datę i godzinę.",
  time: "Proszę podać poprawną godzinę.",
  choice: "Proszę wybrać jedną z możliwości.",
  json: "To nie jest poprawny JSON.",
  unique: "Taka wartość już istnieje.",
  fileTooLarge: "Plik jest za duży; najwyżej {limit}.",
  tooManyFiles: "Najwyżej {limit} plików.",
  fileType: "Takie pliki nie są przyjmowane; proszę wybrać {limit}.",
  notImage: "Tego obrazu nie da się odczytać.",
  tooManyPixels: "Ten obraz ma za dużo pikseli.",
  fileAgain: "Proszę wybrać plik ponownie.",
  summary: "Proszę sprawdzić:",
  optional: "opcjonalne",
  nothing: "Nic",
  yes: "Tak",
  no: "Nie",
  current: "Teraz:",
  clear: "Usuń",
  find: "Szukaj",
  findLabel: "Szukaj: {label}",
  more: "Jest ich więcej: proszę wpisać słowo i nacisnąć Szukaj.",
  add: "Dodaj",
  remove: "Usuń",
  order: "Kolejność",
  tooFewRows: "Proszę wypełnić co najmniej {limit}.",
  tooManyRows: "Najwyżej {limit}.",
  gone: "To się w międzyczasie zmieniło; proszę zacząć od nowa.",
}

const catalogues = new Map<string, Partial<Catalogue>>([
  ["en", english],
  ["de", german],
  ["fr", french],
  ["es", spanish],
  ["pl", polish],
])

/** Adds a language or changes words of one; what is not given stays English. */
export function addMessages(lang: string, messages: Partial<Catalogue>): void {
  const key = lang.toLowerCase()
  catalogues.set(key, { ...catalogues.get(key), ...messages })
}

export function hasMessages(lang: string): boolean {
  return catalogues.has(lang)
}

export function say(lang: string, code: MessageCode, values: Readonly<Record<string, string | number>> = {}): string {
  const text = catalogues.get(lang)?.[code] ?? catalogues.get(lang.split("-", 1)[0]!)?.[code] ?? english[code]
  return text.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""))
}

/** The best of `known` for an Accept-Language (RFC 9110 section 12.5.4); undefined when none fits. */
export function pickLanguage(header: string, known: (lang: string) => boolean): string | undefined {
  const wanted = header
    .slice(0, 500)
    .toLowerCase()
    .split(",", 30)
    .map(part => {
      const [lang = "", ...parameters] = part.trim().split(/\s*;\s*/)
      const q = parameters.find(parameter => parameter.startsWith("q="))
      return { lang, q: q === undefined ? 1 : Number.parseFloat(q.slice(2)) || 0 }
    })
    .filter(({ lang, q }) => q > 0 && /^[a-z]{2,3}(?:-[a-z0-9]{2,8})*$/.test(lang))
    .toSorted((a, b) => b.q - a.q)
  for (const { lang } of wanted) {
    if (known(lang)) return lang
    const short = lang.split("-", 1)[0]!
    if (known(short)) return short
  }
  return undefined
}

/** The reader's language: `c.var.language` (hono/language, or the app's own choice), else what the browser asks for. */
export function languageOf(c: Context<any>): string {
  const chosen: unknown = c.get("language")
  if (typeof chosen === "string" && chosen !== "") return chosen
  return pickLanguage(c.req.header("accept-language") ?? "", hasMessages) ?? "en"
}

/** "2 MB", for people. */
export function sizeText(bytes: number, lang: string): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3))
  return new Intl.NumberFormat(lang, { style: "unit", unit: units[step], unitDisplay: "short", maximumFractionDigits: 1 }).format(bytes / 1000 ** step)
}
