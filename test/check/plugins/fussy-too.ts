export { default } from "./fussy.ts"
