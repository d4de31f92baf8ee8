import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { cacheFolder } from '../../dist/runtime/cache.js';

const wanted = { '@huggingface/transformers': '4.3.1' };

/** A folder whose node_modules holds the peers that are npm packages; made on first use, under the cache: none is a dependency of ours. */
export function peerPackages() {
	const folder = join(cacheFolder(), 'peers', `npm-${Object.values(wanted).join('-')}`);
	if (existsSync(folder)) return folder;
	const fresh = `${folder}.${process.pid}`;
	rmSync(fresh, { recursive: true, force: true });
	mkdirSync(dirname(folder), { recursive: true });
	mkdirSync(fresh);
	writeFileSync(join(fresh, 'package.json'), JSON.stringify({ private: true, dependencies: wanted }));
	// Without the variable onnxruntime-node fetches CUDA libraries.
	const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund'], {
		cwd: fresh,
		stdio: ['ignore', 'ignore', 'inherit'],
		env: { ...process.env, ONNXRUNTIME_NODE_INSTALL_CUDA: 'skip' },
		shell: process.platform === 'win32',
	});
	if (status !== 0) throw new Error(`npm install in ${fresh} failed`);
	renameSync(fresh, folder);
	return folder;
}
