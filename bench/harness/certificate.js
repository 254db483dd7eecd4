const { readFileSync } = require('node:fs');
const path = require('node:path');

const read = (name) => readFileSync(path.join(__dirname, '../../test/helpers/certificate', name), 'utf8');

/** The self-signed certificate that the tests use too. */
module.exports = { key: read('key.pem'), cert: read('cert.pem') };
