// How long classifier.learn takes on 200 posts of minilm-l6, and with --quality what it is worth beside training: accuracy and loss on the 2,000
// posts of eval.csv after learning from some posts, and after three epochs of training on the same ones; both begin with a model that was
// trained for --steps steps on 4,000 others.
//   npm run bench -- learn [--rounds 7] [--steps 50] [--quality]
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Classifier, Dataset, Trainer } from '../dist/index.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
	options: { rounds: { type: 'string', default: '7' }, steps: { type: 'string', default: '50' }, quality: { type: 'boolean', default: false } },
});
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));

async function rowsOf(name) {
	const rows = [];
	for await (const { text, label } of Dataset.from(join(root, 'examples', 'depression', name))) rows.push({ text, label });
	return rows;
}

/** Seconds of a call. */
async function timed(call) {
	const started = performance.now();
	await call();
	return (performance.now() - started) / 1000;
}

async function withClassifier(model, use) {
	const classifier = await Classifier.load(model);
	return use(classifier).finally(() => classifier.dispose());
}

async function train(model, rows, outputDir, maxSteps = -1) {
	const trainer = new Trainer({ model, train: rows, outputDir, maxSteps, truncation: 'silent' });
	await trainer.fit().finally(() => trainer.dispose());
}

const evaluated = async (classifier, rows) => {
	const { accuracy, loss } = (await classifier.evaluate(rows)).metrics;
	return `${accuracy.toFixed(4)} | ${loss.toFixed(4)}`;
};

async function time(classifier, rows, rounds) {
	const seconds = { learn: [], predict: [] };
	for (let round = 0; round < rounds; round++) {
		seconds.learn.push(await timed(() => classifier.learn(rows)));
		seconds.predict.push(await timed(() => classifier.predict(rows.map(({ text }) => text))));
	}
	for (const numbers of Object.values(seconds)) numbers.sort((a, b) => a - b);
	const told = Object.entries(seconds).map(([name, numbers]) => {
		const [least, median, most] = [0, Math.floor(rounds / 2), rounds - 1].map((place) => numbers[place].toFixed(2));
		return `${name} ${median} s (${least} to ${most})`;
	});
	console.log(`${rows.length} rows, median of ${rounds}: ${told.join(', ')}`);
}

async function compare(model, steps, unseen, evaluation) {
	console.log('| steps before | what | rows | seconds | accuracy | loss |\n|---|---|---|---|---|---|');
	console.log(`| ${steps} | nothing | | | ${await withClassifier(model, (classifier) => evaluated(classifier, evaluation))} |`);
	for (const count of [50, 200, 1000]) {
		const rows = unseen.slice(0, count);
		await withClassifier(model, async (classifier) => {
			const seconds = await timed(() => classifier.learn(rows));
			console.log(`| ${steps} | learn | ${count} | ${seconds.toFixed(1)} | ${await evaluated(classifier, evaluation)} |`);
		});
		const output = join(folder, 'further');
		const seconds = await timed(() => train(model, rows, output));
		const result = await withClassifier(output, (classifier) => evaluated(classifier, evaluation));
		console.log(`| ${steps} | three epochs of training | ${count} | ${seconds.toFixed(1)} | ${result} |`);
	}
}

try {
	const posts = await rowsOf('train.csv');
	const [seen, unseen] = [posts.slice(0, 4000), posts.slice(4000)];
	const steps = Number(values.steps);
	const model = join(folder, 'model');
	await train(join(root, 'models', 'minilm-l6'), seen, model, steps);
	console.log(`minilm-l6 after ${steps} steps, ${cpus()[0].model} x ${cpus().length}, Node ${process.version}`);
	await withClassifier(model, (classifier) => time(classifier, unseen.slice(0, 200), Number(values.rounds)));
	if (values.quality) await compare(model, steps, unseen, await rowsOf('eval.csv'));
} finally {
	rmSync(folder, { recursive: true, force: true });
}
