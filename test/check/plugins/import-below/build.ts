import { strictObjekt } from "valibot"

export function build() {
  return { config: strictObjekt({}) }
}
