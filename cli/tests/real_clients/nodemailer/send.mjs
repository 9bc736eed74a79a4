// Sends one message as the options on the command line say, and prints what came of it.
import { readFileSync } from 'node:fs';
import nodemailer from 'nodemailer';

const { transport, envelope, file, times } = JSON.parse(process.argv[2]);
if (transport.tls?.ca) transport.tls.ca = readFileSync(transport.tls.ca);
const transporter = nodemailer.createTransport(transport);
const raw = readFileSync(file);
for (let number = 0; number < times; number++) {
  const { accepted, rejected, response } = await transporter.sendMail({ envelope, raw });
  console.log(JSON.stringify({ accepted, rejected, response }));
}
transporter.close();
