export const name = "bad"
