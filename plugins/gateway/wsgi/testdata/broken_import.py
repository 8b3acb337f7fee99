import json
from json import no_such_name

application = json
