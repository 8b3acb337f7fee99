"""
Reads the settings of a Python config file from standard input without running it: assignments whose values can be worked out
from literals, other settings, the environment (which becomes ${NAME}) and the number of processors. JSON to standard output.
"""

import ast
import json
import os
import sys


class Unknown(Exception):
    pass


class Variable(str):
    """Text with ${NAME} in it: put in when edge starts."""


def environment(name, default=None):
    return Variable("${%s}" % name if default is None else "${%s:-%s}" % (name, default))


OPERATORS = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b, ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b, ast.Mod: lambda a, b: a % b, ast.BitOr: lambda a, b: a | b,
}
COMPARISONS = {
    ast.Eq: lambda a, b: a == b, ast.NotEq: lambda a, b: a != b, ast.Lt: lambda a, b: a < b, ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b, ast.GtE: lambda a, b: a >= b, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
    ast.Is: lambda a, b: a is b, ast.IsNot: lambda a, b: a is not b,
}
PROCESSORS = {"multiprocessing.cpu_count", "os.cpu_count", "cpu_count"}
PLAIN = {"int": int, "str": str, "float": float, "bool": bool, "max": max, "min": min, "len": len, "round": round, "list": list, "tuple": tuple}
MOST = 1 << 20


class Reader:
    def __init__(self):
        self.names = {"True": True, "False": False, "None": None}
        self.settings = {}
        self.functions = []
        self.skipped = []

    def read(self, body):
        for node in body:
            if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
                for target in node.targets:
                    self.assign(target.id, node.value, node)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                self.assign(node.target.id, node.value, node)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                self.assign(node.target.id, ast.BinOp(ast.Name(node.target.id), node.op, node.value), node)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions.append({"name": node.name, "line": node.lineno})
            elif isinstance(node, ast.If):
                self.branch(node)
            elif isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass, ast.ClassDef)):
                pass
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                pass
            else:
                self.skip(node)

    def branch(self, node):
        try:
            test = self.value(node.test)
            if isinstance(test, Variable):
                raise Unknown
        except Exception:
            self.skip(node)
            return
        self.read(node.body if test else node.orelse)

    def assign(self, name, value, node):
        try:
            found = self.value(value)
            json.dumps(found)
        except Exception:
            self.names.pop(name, None)
            self.settings[name] = {"line": node.lineno, "source": ast.unparse(value)[:200]}
            return
        self.names[name] = found
        self.settings[name] = {"line": node.lineno, "value": found}

    def skip(self, node):
        self.skipped.append({"line": node.lineno, "source": ast.unparse(node).split("\n")[0][:200]})

    def value(self, node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if node.id not in self.names:
                raise Unknown
            return self.names[node.id]
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [self.value(one) for one in node.elts]
        if isinstance(node, ast.Dict):
            return {self.value(k): self.value(v) for k, v in zip(node.keys, node.values)}
        if isinstance(node, ast.UnaryOp):
            operand = self.plain(node.operand)
            return not operand if isinstance(node.op, ast.Not) else -operand
        if isinstance(node, ast.BinOp):
            return self.operation(node)
        if isinstance(node, ast.IfExp):
            return self.value(node.body if self.plain(node.test) else node.orelse)
        if isinstance(node, ast.BoolOp):
            return self.boolean(node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return COMPARISONS[type(node.ops[0])](self.plain(node.left), self.plain(node.comparators[0]))
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(self.value(p.value if isinstance(p, ast.FormattedValue) else p)) for p in node.values)
            return Variable(text) if "${" in text else text
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            return environment(self.plain(node.slice))
        if isinstance(node, ast.Call):
            return self.call(node)
        raise Unknown

    def plain(self, node):
        found = self.value(node)
        if isinstance(found, Variable):
            raise Unknown
        return found

    def operation(self, node):
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, Variable) or isinstance(right, Variable):
            # Text may be put together of variables, numbers may not.
            if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
                return Variable(left + right)
            if isinstance(node.op, ast.Mod) and type(left) is str:
                return Variable(left % (tuple(right) if isinstance(right, list) else right))
            raise Unknown
        if isinstance(node.op, ast.Mod) and isinstance(left, str) and isinstance(right, list):
            right = tuple(right)
        if isinstance(node.op, ast.Mult) and not all(isinstance(one, (int, float)) for one in (left, right)):
            raise Unknown
        found = OPERATORS[type(node.op)](left, right)
        if isinstance(found, (str, list)) and len(found) > MOST:
            raise Unknown
        return found

    def boolean(self, node):
        found = None
        for one in node.values:
            found = self.value(one)
            if isinstance(found, Variable):
                # `os.environ.get("A") or "b"` is ${A:-b}.
                last = self.value(node.values[-1])
                if isinstance(node.op, ast.Or) and len(node.values) == 2 and found.endswith("}") and ":-" not in found:
                    return Variable("%s:-%s}" % (found[:-1], last))
                raise Unknown
            if bool(found) == isinstance(node.op, ast.Or):
                return found
        return found

    def call(self, node):
        name = ast.unparse(node.func)
        if node.keywords:
            raise Unknown
        if name in PROCESSORS and not node.args:
            return os.cpu_count() or 1
        if name == "len" and ast.unparse(node.args[0]).startswith("os.sched_getaffinity"):
            return os.cpu_count() or 1
        args = [self.value(one) for one in node.args]
        if name in ("os.environ.get", "os.getenv", "getenv", "environ.get"):
            return environment(*args)
        if name in ("int", "float", "str") and isinstance(args[0], Variable):
            return args[0]
        if name in ("os.path.join",) and all(isinstance(one, str) for one in args):
            text = os.path.join(*args)
            return Variable(text) if "${" in text else text
        if name in PLAIN and not any(isinstance(one, Variable) for one in args):
            return PLAIN[name](*args)
        raise Unknown


def main():
    reader = Reader()
    try:
        reader.read(ast.parse(sys.stdin.read()).body)
    except SyntaxError as error:
        print(json.dumps({"error": str(error.msg), "line": error.lineno}))
        return
    print(json.dumps({"settings": reader.settings, "functions": reader.functions, "skipped": reader.skipped}))


main()
