"""Runs ministack, given as an argument, with two condition keys of KMS that it does not know.

ministack checks the conditions of a policy, but of KMS it knows only what is said of tags: a condition on
kms:SigningAlgorithm or kms:MessageType never holds, and nobody with the policy of a signer could sign. Here both get the
value that the request has, as AWS documents them for Sign and Verify:
https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
"""

import json
import runpy
import sys

from ministack.core import iam_actions

KEYS = {"kms:SigningAlgorithm": "SigningAlgorithm", "kms:MessageType": "MessageType"}

of_tags = iam_actions.request_tag_context


def context(service, action, body, params):
    known = of_tags(service, action, body, params)
    if action in ("kms:Sign", "kms:Verify"):
        request = json.loads(body)
        known |= {key: request[field] for key, field in KEYS.items() if field in request}
    return known


iam_actions.request_tag_context = context
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
