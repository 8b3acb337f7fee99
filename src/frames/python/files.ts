import boot from "./edge_boot.py" with { type: "text" }
import fork from "./edge_fork.py" with { type: "text" }
import front from "./edge_front.py" with { type: "text" }
import frames from "./edge_frames.py" with { type: "text" }
import heads from "./edge_heads.py" with { type: "text" }
import signals from "./edge_signals.py" with { type: "text" }

/** The Python end of the worker protocol, for `files` of a Launch: what every Python runtime starts from. */
export const pythonFrames: Readonly<Record<string, string>> = {
  "edge_boot.py": boot,
  "edge_fork.py": fork,
  "edge_frames.py": frames,
  "edge_front.py": front,
  "edge_heads.py": heads,
  "edge_signals.py": signals,
}
