const settings: { answer?: number } = {}

if (settings.answer === undefined) {
  throw new Error("there is no answer")
}

export default {}
