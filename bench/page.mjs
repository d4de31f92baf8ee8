// Writes docs/benchmarks.md from what the other benchmarks left in out/bench.
//   npm run bench -- page
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ceilingsTold, median, root, table } from './machine.mjs';
import { modelNames } from './models.mjs';
import { trainingTable } from './training-table.mjs';

function read(name, command) {
	const path = join(root, 'out', 'bench', `${name}.json`);
	if (!existsSync(path)) throw new Error(`${path} is missing: npm run bench -- ${command}`);
	return JSON.parse(readFileSync(path, 'utf8'));
}

const ofModels = (name) => modelNames.map((model) => read(`${name}-${model}`, `${name} --model ${model}`));
const percent = (share) => `${(100 * share).toFixed(0)}%`;
const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
const [trained, steady] = ['train', 'steady'].map(ofModels);
const hasBf16 = trained[0].ceilings[0].bf16 > 0;
const profiled = modelNames.flatMap((model) =>
	hasBf16
		? [read(`profile-${model}`, `profile --model ${model}`), read(`profile-${model}-bf16`, `profile --model ${model} --dtype bf16`)]
		: [read(`profile-${model}`, `profile --model ${model}`)],
);
const tokenized = read('tokenize', 'tokenize');
const libtorch = read('libtorch', 'libtorch');

function training({ model, results, memory }) {
	return `${titled(model, `${results[0].steps} batches of each order`)}\n\n${trainingTable(results, memory)}`;
}

const sizes = { 'distilbert-base': '6 x 768 x 12 x 3072, random weights: speed does not depend on them', 'minilm-l6': '6 x 384 x 12 x 1536' };
const titled = (model, more) => `**${model}** (${sizes[model]}), ${more}`;

function profile({ model, dtype, seconds, of, steps, threads }) {
	const row = (name, value) => [name, (1000 * value).toFixed(1), percent(value / seconds)];
	const rows = Object.entries(of).filter(([, value]) => value >= 5e-5);
	const tokens = steps.reduce((sum, step) => sum + step.tokens, 0) / steps.length;
	const clock = threads === 1 ? "one thread, by the thread's own time" : `${threads} threads, by the clock`;
	const more = `mean of ${steps.length} steps of ${tokens.toFixed(0)} tokens in ${dtype}, ${clock}`;
	return `${titled(model, more)}\n\n${table([['operation', 'ms a step', 'share'], ...rows.map(([name, value]) => row(name, value)), row('the step', seconds)])}`;
}

function behaviour({ model, eventLoop: { idle, busy }, memory, lengths: { short, long, ratio } }) {
	const late = (name) => `${(busy[name] - idle[name]).toFixed(1)} ms (idle: ${idle[name].toFixed(1)} ms)`;
	return [
		model,
		late('p99'),
		late('max'),
		`${megabytes(memory.peakRssBytes)} MB (${memory.tokens} tokens)`,
		`${megabytes(long.peakRssBytes)} MB`,
		`${ratio.toFixed(2)} (${long.tokensPerSecond.toFixed(0)} over ${short.tokensPerSecond.toFixed(0)} at ${short.tokens} tokens)`,
	];
}
const behaviourHead = [
	'',
	"event loop p99 above an idle loop's",
	'longest delay above',
	'peak memory, largest batch of three epochs in seed-42 order',
	'peak memory at 8 x 512 tokens',
	'tokens/s at 8 x 512 over a batch of short rows',
];

function tokenizing({ texts, megabytes: size, tokens, rounds, megabytesPerSecond, ratios, versions }) {
	const rows = Object.entries(megabytesPerSecond).map(([name, rate]) => [
		name === 'distiltune' ? name : `tokenizers ${versions.tokenizers}, ${name}`,
		rate.toFixed(1),
		name in ratios ? `${ratios[name].toFixed(1)}x` : '',
	]);
	const told = `${texts.toLocaleString('en')} posts, ${size.toFixed(2)} MB, ${tokens.toLocaleString('en')} tokens, one thread, median of ${rounds}.`;
	return `${told}\n\n${table([['', 'MB/s', 'distiltune faster by'], ...rows])}`;
}

function versions({ model, rounds, results, ratio, medianRatio }) {
	const [ours, other] = results.map(({ version }) => version);
	return `${model}, ${rounds} steps over each in turns: libtorch ${other} takes ${ratio.toFixed(2)} of the time of ${ours}, median ${medianRatio.toFixed(2)}.`;
}

function machines() {
	const all = [...trained, ...profiled, ...steady, tokenized, libtorch];
	const names = new Set(all.map(({ machine: { cpu, cores, node } }) => `${cores} cores of ${cpu}, Node ${node}`));
	const loads = all.map(({ machine }) => machine.loadAverage);
	const { torch, transformers, threads } = trained[0].versions;
	const dates = all.map(({ date }) => date.slice(0, 10)).sort();
	return [
		`${[...names].join('; ')}; peer: transformers ${transformers} on torch ${torch}, ${threads} threads. ${dates[0]} to ${dates.at(-1)}.`,
		`The machine was shared: its load average, when the figures were taken, lay between ${Math.min(...loads).toFixed(1)} and ${Math.max(...loads).toFixed(1)} (median ${median(loads).toFixed(1)}).`,
	].join('\n');
}

const fields = {
	training: trained.map(training).join('\n\n'),
	bf16: hasBf16
		? 'With bf16 either side multiplies in bfloat16 and adds up in float32; the peak is then that of bf16.'
		: 'This processor does not multiply bf16 itself, so there are no rows of bf16.',
	ceilings: trained.map(({ model, ceilings }) => `Meanwhile, ${model}: ${ceilingsTold(ceilings)}.`).join('\n'),
	profile: profiled.map(profile).join('\n\n'),
	libtorch: versions(libtorch),
	steady: table([behaviourHead, ...steady.map(behaviour)]),
	tokenize: tokenizing(tokenized),
	machine: machines(),
};
const template = readFileSync(join(root, 'bench', 'page.md'), 'utf8');
const page = template.replace(/\{\{(\w+)\}\}/g, (_, name) => {
	if (!Object.hasOwn(fields, name)) throw new Error(`page.md asks for ${name}, which nothing gives`);
	return fields[name];
});
writeFileSync(join(root, 'docs', 'benchmarks.md'), page);
