import { setUpContent } from "./page.client.js"

// After all that waits for it.
setUpContent(document)
