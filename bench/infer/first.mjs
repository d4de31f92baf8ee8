// A process that opens a model and classifies one text, then `more` of them: seconds since its start, resident bytes.
//   node first.mjs MODEL DTYPE MORE
import { Classifier } from '../../dist/index.js';

const [model, dtype, more] = process.argv.slice(2);
const classifier = await Classifier.load(model, { dtype });
await classifier.predict('I feel fine, but I have not slept well for days.');
const seconds = process.uptime();
const text = 'It has been a long week and nothing went the way it should have gone. '.repeat(12);
for (let call = 0; call < Number(more); call++) await classifier.predict(text.slice(0, 20 + ((call * 37) % 800)));
console.log(JSON.stringify({ seconds, rss: process.memoryUsage.rss(), peakRss: process.resourceUsage().maxRSS * 1024 }));
await classifier.dispose();
