# Answers questions about GVariant with GLib: one JSON object a line in and out.
import json, sys
from gi.repository import GLib

for line in sys.stdin:
    q = json.loads(line)
    a = {}
    if "text" in q:
        try:
            v = GLib.Variant.parse(GLib.VariantType.new(q["type"]) if q["type"] else None, q["text"], None, None)
            a = {"error": "null"} if v is None else {"type": v.get_type_string(), "hex": v.get_data_as_bytes().get_data().hex(),
                 "long": v.print_(True), "short": v.print_(False)}
        except GLib.Error as e:
            a = {"error": e.message}
        except TypeError as e:
            a = {"error": str(e)}
    else:
        v = GLib.Variant.new_from_bytes(GLib.VariantType.new(q["type"]), GLib.Bytes.new(bytes.fromhex(q.get("hex", ""))), False)
        a = {"normal": v.is_normal_form()}
        if a["normal"]:
            a["long"], a["short"] = v.print_(True), v.print_(False)
            a["swapped"] = v.byteswap().get_data_as_bytes().get_data().hex()
    print(json.dumps(a))
