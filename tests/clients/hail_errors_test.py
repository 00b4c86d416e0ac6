#!/usr/bin/python3
"""The rules of docs/clients.md for a client in another language, without a service."""

import sys
import unittest

import hail_errors


class Refused(Exception):
    def __init__(self, answer, retry_after=None):
        super().__init__("refused")
        self.answer, self.retry_after = answer, retry_after


class HailErrors(unittest.TestCase):
    def test_without_hails_reason_no_code_is_an_answer(self):
        self.assertTrue(hail_errors.is_answer(0, ""))
        for code in range(1, 17):
            self.assertFalse(hail_errors.is_answer(code, ""), code)
            self.assertEqual(hail_errors.is_answer(code, "REASON"), code not in (1, 4, 8, 14), code)

    def test_a_proxys_error_info_is_not_hails(self):
        kind = "type.googleapis.com/google.rpc."
        ours = {"@type": kind + "ErrorInfo", "domain": "hail", "reason": "OVERLOADED"}
        wait = {"@type": kind + "RetryInfo", "retry_delay": "0.250s"}
        self.assertEqual(hail_errors.details_of({"details": [ours, wait]}), ("OVERLOADED", 0.25))
        self.assertEqual(hail_errors.details_of({"details": [{**ours, "domain": "proxy.example"}]}), ("", None))
        self.assertEqual(hail_errors.details_of({}), ("", None))

    def test_waits_double_up_to_two_seconds(self):
        backoff = hail_errors.Backoff()
        for most in (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0):
            wait = backoff.next()
            self.assertTrue(most / 2 <= wait <= most, (most, wait))
        self.assertEqual(backoff.next(asked=7), 7)

    def test_an_answer_is_not_asked_for_again(self):
        answers = [Refused(False), Refused(False), "done"]

        def call(timeout):
            self.assertEqual(timeout, hail_errors.ATTEMPT)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.assertEqual(hail_errors.patiently(call, error=Refused), "done")
        answers[:] = [Refused(True), "never"]
        with self.assertRaises(Refused):
            hail_errors.patiently(call, error=Refused)
        self.assertEqual(answers, ["never"])
        answers[:] = [Refused(False), "never"]
        with self.assertRaises(Refused):
            hail_errors.patiently(call, give_up=-1, error=Refused)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
