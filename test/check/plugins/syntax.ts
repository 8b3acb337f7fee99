import { definePlugin } from "edge"

export default definePlugin({
  name: "bad"
  kind: "middleware",
})
