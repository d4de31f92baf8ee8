// Training speed over one libtorch beside another: the same steps of the same batches in turns. Our kernels do the arithmetic, so the
// version should not matter. Both engines must have been built: DISTILTUNE_LIBTORCH=FOLDER npm run build
//   npm run bench -- libtorch [--model distilbert-base|minilm-l6] [--rounds 12] [--other FOLDER], by default the peers' torch
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { resolveLibtorch } from '../dist/runtime/libtorch.js';
import { batchesOf, posts, spread, writeBatches } from './batches.mjs';
import { Ceilings, keep, machine, median, root, sum, table } from './machine.mjs';
import { modelFolder } from './models.mjs';
import { peerPython } from './peers/environment.mjs';
import { Turns } from './turns.mjs';

const warmUp = 3;
const { values } = parseArgs({
	options: { model: { type: 'string', default: 'distilbert-base' }, rounds: { type: 'string', default: '12' }, other: { type: 'string' } },
});
const rounds = Number(values.rounds);
const peerTorch = () => execFileSync(peerPython(), ['-c', 'import torch; print(torch.__path__[0])'], { encoding: 'utf8' }).trim();
const folders = [undefined, values.other ?? peerTorch()];
const versions = folders.map((libtorch) => resolveLibtorch({ libtorch }).version);

const model = await modelFolder(values.model);
const rows = await posts(model);
const batches = spread(batchesOf(rows), warmUp + rounds, rows);
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
const train = join(folder, 'train.csv');
const options = join(folder, 'options.json');
writeBatches(train, rows, [...batches, batches[0]]); // one more, so that the run has not ended by itself when its last turn is asked for
writeFileSync(options, JSON.stringify({ model, train, warmUp, config: { numTrainEpochs: 1, dtype: 'fp32' } }));

const ceilings = await Ceilings.start();
const sides = folders.map(
	(libtorch) => new Turns(process.execPath, [join(root, 'bench', 'ours.mjs'), options], libtorch && { DISTILTUNE_LIBTORCH: libtorch }),
);
const seconds = sides.map(() => []);
try {
	for (const side of sides) await side.next(); // one after another, so that no warm-up takes the cores from another
	await ceilings.measure();
	for (let round = 0; round < rounds; round++) {
		for (const [place, side] of sides.entries()) seconds[place].push((await side.take(1)).seconds[0]);
		console.error(`round ${round + 1}/${rounds}: ${seconds.map((each) => each[round].toFixed(3)).join(', ')} s`);
	}
	await ceilings.measure();
	for (const side of sides) await side.end();
} finally {
	for (const side of sides) side.kill();
	ceilings.stop();
	rmSync(folder, { recursive: true, force: true });
}

const { cpu, cores, node } = machine();
const results = versions.map((version, place) => ({ version, seconds: seconds[place] }));
const ratio = sum(seconds[1]) / sum(seconds[0]);
const medianRatio = median(seconds[1].map((each, round) => each / seconds[0][round]));
console.log(`${values.model}, batch 8, real posts in seed-42 order, ${cpu} x ${cores}, Node ${node}; ${ceilings.told}`);
console.log(
	table([
		['libtorch', 's a step, median', 'steps/s'],
		...results.map((each) => [each.version, median(each.seconds).toFixed(3), (rounds / sum(each.seconds)).toFixed(3)]),
	]),
);
console.log(`${versions[1]} takes ${ratio.toFixed(3)} of the time of ${versions[0]}, median of rounds ${medianRatio.toFixed(3)}`);
keep('libtorch', { model: values.model, rounds, results, ratio, medianRatio, ceilings: ceilings.rounds });
