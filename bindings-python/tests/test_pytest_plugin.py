"""The fixture, in a pytest of its own."""

import pytest

pytest_plugins = ["pytester"]


def test_the_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import smtplib
        import pytest

        def test_taken(smtp_sink):
            with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
                client.sendmail("ann@example.com", ["bob@example.org"], "Subject: hello\\n\\nHello")
            (received,) = smtp_sink.wait_for(1)
            assert received.email["Subject"] == "hello"

        @pytest.mark.smtp_sink(faults=["refuse"])
        def test_refused(smtp_sink):
            assert smtp_sink.messages == []
            with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    client.sendmail("ann@example.com", ["bob@example.org"], "Subject: hello\\n\\nHello")
        """
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=2)
