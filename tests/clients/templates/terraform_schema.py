"""The schema of resources of Terraform's AWS provider, read from the package cdktf-cdktf-provider-aws: the arguments of its
classes are the arguments and blocks of the resources. The package's code is read and not run."""
import ast
import glob
import re
import zipfile


def check(folder, resource, document):
    """Returns the parts of a resource's JSON that the provider's schema does not allow; FOLDER has the package's wheel."""
    with zipfile.ZipFile(glob.glob(f"{folder}/cdktf_cdktf_provider_aws-*.whl")[0]) as wheel:
        module = resource.removeprefix("aws_")
        tree = ast.parse(wheel.read(f"cdktf_cdktf_provider_aws/{module}/__init__.py"))
    blocks = {}
    for block in tree.body:
        for function in getattr(block, "body", []):
            if getattr(function, "name", "") == "__init__":
                arguments = zip(function.args.kwonlyargs, function.args.kw_defaults)
                blocks[block.name] = {
                    argument.arg: (ast.unparse(argument.annotation), default is None) for argument, default in arguments
                }
    name = "".join(word.capitalize() for word in module.split("_"))
    return list(faults(blocks, name, resource, document))


def faults(blocks, name, path, document):
    arguments = blocks[name]
    for argument, (_, is_required) in arguments.items():
        if is_required and argument not in document:
            yield f"{path} has no {argument}"
    for argument, value in document.items():
        if argument not in arguments:
            yield f"{path} has no argument {argument}"
            continue
        kind, place = arguments[argument][0], f"{path}.{argument}"
        block = next((block for block in re.findall(r"'(\w+)'", kind) if block in blocks), None)
        if block:
            for value in value if isinstance(value, list) and "Sequence" in kind else [value]:
                yield from faults(blocks, block, place, value)
        elif "Mapping" in kind:
            wrong = [value] if not isinstance(value, dict) else [text for text in value.values() if not isinstance(text, str)]
            yield from (f"{place} has {value!r}" for value in wrong)
        elif "builtins.str" in kind and not isinstance(value, str) or "jsii.Number" in kind and not isinstance(value, int):
            yield f"{place} is {value!r}"
