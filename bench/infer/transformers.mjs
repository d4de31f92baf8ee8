// Transformers.js at its default, one text after another.
//   node transformers.mjs PAPER    { packages, onnx, dtype, turns }; dtype null: its default
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { serve } from './turns.mjs';

const { packages, onnx, dtype, turns } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const entry = createRequire(join(packages, 'index.js')).resolve('@huggingface/transformers');
const { env, pipeline } = await import(pathToFileURL(entry).href);
env.allowRemoteModels = false;
env.localModelPath = dirname(onnx);
const classify = await pipeline('text-classification', basename(onnx), dtype === null ? {} : { dtype });

await serve(
	turns,
	async ([{ text }]) => {
		const scores = await classify(text, { top_k: null });
		return [scores.sort((a, b) => a.label.localeCompare(b.label)).map(({ score }) => score)];
	},
	() => ({ version: env.version }),
);
