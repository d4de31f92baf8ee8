import { defineConfig } from 'vitest/config';

// Apart from `npm test`: what stands here needs the peers' Python environment, which `npm run test:python` makes.
export default defineConfig({
	test: { include: ['test/python/*.test.ts'], pool: 'forks', testTimeout: 1_800_000, hookTimeout: 1_800_000 },
});
