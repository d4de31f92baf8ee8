// Classifier.predict, one text after another.
//   node ours-texts.mjs PAPER    { model, dtype, threads, turns }
import { readFileSync } from 'node:fs';

import { Classifier } from '../../dist/index.js';
import { serve } from './turns.mjs';

const { model, dtype, threads, turns } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const classifier = await Classifier.load(model, { dtype, threads });

await serve(turns, async ([{ text }]) => [Object.values((await classifier.predict(text)).scores)]);
await classifier.dispose();
